/** A structured line for each request to a function of the API. Never a query, a body, a header or a presigned URL. */
import { Logger } from '@aws-lambda-powertools/logger';
import { isSealdropError } from './errors.js';

interface Entry {
  readonly status: number;
  readonly error?: unknown;
}

export function accessLog(deployment: string): (entry: Entry) => void {
  const logger = new Logger({ serviceName: 'sealdrop', persistentKeys: { deployment } });
  return ({ error, ...entry }) => {
    if (error === undefined) return logger.info('request', { ...entry });
    const about = { ...entry, ...failure(error) };
    if (entry.status >= 500) logger.error('request failed', about);
    else logger.info('request refused', about);
  };
}

/** What was opened, by a function that decrypts; `decrypt` also says who asked. */
export function auditLog(
  deployment: string,
  what: 'decrypt' | 'rewrap' = 'decrypt',
): (entry: object) => void {
  const logger = new Logger({ serviceName: 'sealdrop', persistentKeys: { deployment } });
  return (entry) => logger.info(what, { audit: true, ...entry });
}

function failure(error: unknown): object {
  if (isSealdropError(error)) return { code: error.code, reason: error.message };
  // A fault of ours: where it is, and not what it was about.
  const { name = 'Error', stack = '' } = error instanceof Error ? error : {};
  return { code: 'internal', error: name, at: stack.split('\n').slice(1, 6) };
}
