/** What a local gateway writes: it always encrypts. */
import { Option, type Command } from 'commander';
import { SealdropError } from '../errors.js';
import { ENCRYPTING_FORMATS, type Encryptor } from '../ports.js';
import type { ApiOptions } from './api-options.js';

export const serveFormatOption = (command: Command): Command =>
  command.addOption(
    new Option('--format <format>', 'what is written: esdk (default), s3ec or s3ec-v2').choices(
      ENCRYPTING_FORMATS,
    ),
  );

/**
 * The API opens only what was made for exactly the key that it lies under.
 * @throws SealdropError `usage`
 */
export function assertOpens({ format }: Encryptor, { decryptWith }: ApiOptions): void {
  if (decryptWith === undefined || format === 'esdk') return;
  throw new SealdropError('usage', `--decrypt-with is for --format esdk: ${format} objects name no key`, {
    hint: 'leave --decrypt-with out and open them with sealdrop get, or write --format esdk',
  });
}
