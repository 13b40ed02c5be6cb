import { readFile } from 'node:fs/promises';
import { SealdropError, systemCode } from '../errors.js';
import { printable } from '../printable.js';
import { deploymentsSchema, type DeploymentConfig } from './deployment.js';
import { parseDocument } from './mistakes.js';

/**
 * @param path of a sealdrop.config.json
 * @throws SealdropError `invalid_config`, which names the field
 */
export async function readDeployments(path: string): Promise<Record<string, DeploymentConfig>> {
  const shown = printable(path);
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    const code = systemCode(cause);
    throw new SealdropError(
      'invalid_config',
      code === 'ENOENT' ? `there is no file ${shown}` : `cannot read ${shown}: ${code ?? 'unknown error'}`,
      { cause, hint: 'name it: -c config=FILE, or see docs/deploy.md for what to write into one' },
    );
  });
  return parseDeployments(text, shown);
}

/** @throws SealdropError `invalid_config` */
export function parseDeployments(text: string, name: string): Record<string, DeploymentConfig> {
  return parseDocument(text, name, deploymentsSchema).deployments;
}
