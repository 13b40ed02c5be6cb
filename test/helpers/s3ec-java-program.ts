/** Where the program with the S3 Encryption Clients for Java comes from. */
import { createHash } from 'node:crypto';
import { access, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { cacheFolder, withLock } from './cache.js';
import { run } from './run.js';

const SOURCES = resolve('test/interop/s3ec/java');
const BUILD_TIME = 10 * 60_000;
const OLDEST_JAVA = 17;

/** The class path of the program, built anew when its sources change. The first time takes a minute. */
export async function javaWithS3ec(): Promise<string> {
  const folder = join(cacheFolder(), `s3ec-java-${await digestOfSources()}`);
  const built = () =>
    access(folder).then(
      () => true,
      () => false,
    );
  if (!(await built()))
    await withLock(`${folder}.lock`, async () => {
      // Another process may have made it while this one waited.
      if (!(await built())) await build(folder);
    });
  return [join(folder, 'classes'), join(folder, 'lib', '*')].join(':');
}

async function digestOfSources(): Promise<string> {
  const digest = createHash('sha256');
  const entries = await readdir(SOURCES, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  for (const file of files.sort()) digest.update(await readFile(file));
  return digest.digest('hex').slice(0, 16);
}

async function build(folder: string): Promise<void> {
  await checkTools();
  console.error('building the S3 Encryption Clients for Java for the tests; this takes a minute, once');
  const output = `${folder}.part`;
  await rm(output, { recursive: true, force: true });
  const args = ['-B', '-q', '-f', SOURCES, 'process-classes', `-Doutput=${output}`];
  await run('mvn', args, { timeout: BUILD_TIME });
  await rename(output, folder);
}

async function checkTools(): Promise<void> {
  const said = await run('mvn', ['-B', '-v']).catch((error: Error) => error.message);
  const java = Number(/Java version: (\d+)/.exec(said)?.[1]);
  if (java >= OLDEST_JAVA) return;
  throw new Error(
    `no S3 Encryption Client for Java for the tests: install a JDK of version ${OLDEST_JAVA} or newer and Maven (it is built from ${SOURCES})\nmvn -v: ${said}`,
  );
}
