/** The AWS Encryption CLI, with the provider of examples/python/ that reads RSA keys from PEM files. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pythonVenv } from './python-venv.js';

const EXAMPLE = 'examples/python/rsa_key_file';

export const encryptionCliPython = (): Promise<string> =>
  pythonVenv('aws-encryption-sdk-cli', ['aws-encryption-sdk-cli==4.3.0']);

/**
 * Lays the provider into a folder as `pip install` would, without a network.
 * @returns the program, and what PYTHONPATH has to be for it
 */
export async function encryptionCli(folder: string): Promise<{ program: string; pythonPath: string }> {
  const project = readFileSync(join(EXAMPLE, 'pyproject.toml'), 'utf8');
  const [, group, entry] = /\[project\.entry-points\."([^"]+)"\]\n(.+)/.exec(project)!;
  const about = join(folder, 'rsa_key_file-1.0.dist-info');
  mkdirSync(about, { recursive: true });
  writeFileSync(join(about, 'METADATA'), 'Metadata-Version: 2.1\nName: rsa-key-file\nVersion: 1.0\n');
  writeFileSync(join(about, 'entry_points.txt'), `[${group}]\n${entry!.replaceAll('"', '')}\n`);
  copyFileSync(join(EXAMPLE, 'rsa_key_file.py'), join(folder, 'rsa_key_file.py'));
  return { program: join(await encryptionCliPython(), '..', 'aws-encryption-cli'), pythonPath: folder };
}
