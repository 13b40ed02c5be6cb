import { createHash } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder, withLock } from './cache.js';
import { run } from './run.js';

const INSTALL_TIME = 10 * 60_000;

/**
 * The interpreter of a virtual environment in the cache that has exactly these requirements, made if it is missing or
 * has others. Requirements are pinned: `name==version`.
 */
export async function pythonVenv(name: string, requirements: readonly string[]): Promise<string> {
  const folder = join(cacheFolder(), 'venv', name);
  const python = join(folder, 'bin', 'python');
  const stamp = join(folder, '.requirements');
  const digest = createHash('sha256').update(requirements.join('\n')).digest('hex');
  const ready = async () => (await readFile(stamp, 'utf8').catch(() => '')) === digest;
  if (await ready()) return python;
  return withLock(`${folder}.lock`, async () => {
    if (await ready()) return python;
    await rm(folder, { recursive: true, force: true });
    await run('python3', ['-m', 'venv', folder]);
    const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...requirements];
    await run(python, install, { timeout: INSTALL_TIME });
    // Last: an environment without it is made anew.
    await writeFile(stamp, digest);
    return python;
  });
}
