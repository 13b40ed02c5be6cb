/** The Amazon S3 Encryption Clients for Go and Python, in processes of their own. They know KMS keys alone. */
import { createHash } from 'node:crypto';
import { access, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { CommitmentPolicyName } from '../../src/ports.js';
import { GO_BUILD } from './binaries.js';
import { cacheFolder, withLock } from './cache.js';
import { pythonVenv } from './python-venv.js';
import { run } from './run.js';

const GO_SOURCES = resolve('test/interop/s3ec/go');
const PYTHON_DRIVER = resolve('test/interop/s3ec/driver.py');
const BUILD_TIME = 10 * 60_000;
const JOBS_TIME = 3 * 60_000;

/** With their major version. Go 3 has neither commitment policies nor the suite that commits. */
export type S3ecClient = 'go-3' | 'go-4' | 'python-4';

export interface S3ecJob {
  /** `upload` is Python's: in parts from 8 MiB on. */
  readonly op: 'put' | 'upload' | 'get';
  readonly bucket: string;
  readonly key: string;
  /** ARN. */
  readonly kmsKey: string;
  /** Without one Go takes what the object has, and Python has it that there is none. */
  readonly context?: Readonly<Record<string, string>>;
  /** Default: the client's own, which is the strictest that it has. */
  readonly policy?: CommitmentPolicyName;
  /** That it writes: 0x0072 or 0x0073. Default: the client's own. */
  readonly suite?: number;
  readonly legacyWrapping?: boolean;
  readonly legacyModes?: boolean;
  /** Plaintext to put. */
  readonly body?: Uint8Array;
}

export type S3ecResult =
  | { readonly ok: true; /** Of a get. */ readonly body: Buffer }
  | { readonly ok: false; readonly error: string };

/** What came of a get that has to succeed. */
export function plaintextOf(result: S3ecResult): Buffer {
  if (!result.ok) throw new Error(`refused: ${result.error}`);
  return result.body;
}

export const pythonWithS3ec = (): Promise<string> =>
  pythonVenv('s3-encryption-client', [
    'amazon-s3-encryption-client-python==4.0.0',
    'boto3==1.44.5',
    'cryptography==48.0.1',
  ]);

/** The path of the program with both clients for Go, built anew when its sources change. The first time takes a minute. */
export async function goWithS3ec(): Promise<string> {
  const digest = createHash('sha256');
  for (const name of (await readdir(GO_SOURCES)).sort())
    digest.update(await readFile(join(GO_SOURCES, name)));
  const folder = join(cacheFolder(), 'bin');
  const program = join(folder, `s3ec-go-${digest.digest('hex').slice(0, 16)}`);
  const built = () =>
    access(program).then(
      () => true,
      () => false,
    );
  if (await built()) return program;
  return withLock(`${program}.lock`, async () => {
    if (await built()) return program;
    const build = ['build', '-buildvcs=false', '-o', `${program}.part`, '.'];
    await run('go', build, { cwd: GO_SOURCES, env: GO_BUILD, timeout: BUILD_TIME });
    await rename(`${program}.part`, program);
    return program;
  });
}

/** Runs the jobs one after another in one process. `env` says where S3 and KMS are, and who asks. */
export async function runS3ec(
  client: S3ecClient,
  jobs: readonly S3ecJob[],
  env: Readonly<Record<string, string>>,
): Promise<S3ecResult[]> {
  const command = client === 'python-4' ? [await pythonWithS3ec(), PYTHON_DRIVER] : [await goWithS3ec()];
  const folder = await mkdtemp(join(tmpdir(), 'sealdrop-s3ec-'));
  try {
    const files = jobs.map((_, i) => join(folder, `${i}.body`));
    for (const [i, { body }] of jobs.entries()) if (body !== undefined) await writeFile(files[i]!, body);
    const [from, to] = [join(folder, 'jobs.json'), join(folder, 'results.json')];
    await writeFile(from, JSON.stringify(jobs.map((job, i) => ({ ...job, client, body: files[i] }))));
    const [program, ...args] = command;
    await run(program!, [...args, from, to], { timeout: JOBS_TIME, env: { ...env } });
    const results = JSON.parse(await readFile(to, 'utf8')) as S3ecResult[];
    return await Promise.all(
      results.map(async (result, i) => (result.ok ? { ok: true, body: await readFile(files[i]!) } : result)),
    );
  } finally {
    await rm(folder, { recursive: true });
  }
}
