import type { LoadedConfig } from '../config/config.js';
import type { Parts } from '../config/settings.js';
import { exitCodeOf, isSealdropError, SealdropError } from '../errors.js';
import { Output, type VoiceOptions } from './output.js';

/** What every command is given. */
export interface Environment {
  /** With a configuration, they know its vaults. */
  parts: Parts;
  /** Fires on SIGINT, SIGTERM and SIGHUP, with a SealdropError `interrupted`. */
  readonly signal: AbortSignal;
  /** Set by a command that failed without throwing. */
  exitCode: number;
  /** What the command goes by. */
  config?: LoadedConfig;
  /** What the running command speaks with, for whoever reports how it ended. */
  output?: Output;
}

export function openOutput(environment: Environment, options: VoiceOptions): Output {
  const output = (environment.output = new Output(options));
  const warning = environment.config?.warning;
  if (warning !== undefined) output.warn(warning.text, warning.hint);
  return output;
}

/**
 * Does something for each of several things: a failure is said and does not stop the rest. The exit code is that of
 * the failure where there is one thing, 6 where some of many failed, and the first failure's where all did.
 */
export async function forEach<T>(
  items: readonly T[],
  environment: Environment,
  output: Output,
  act: (item: T) => Promise<void>,
): Promise<void> {
  const failures: unknown[] = [];
  for (const item of items) {
    try {
      await act(item);
    } catch (error) {
      if (environment.signal.aborted || (isSealdropError(error) && error.code === 'interrupted')) throw error;
      output.error(error, typeof item === 'string' ? { name: item } : {});
      failures.push(error);
    }
  }
  if (failures.length === 0) return;
  const someFailed = failures.length < items.length;
  environment.exitCode = exitCodeOf(someFailed ? new SealdropError('partial', 'some failed') : failures[0]);
  if (items.length > 1) output.note(`${failures.length} of ${items.length} failed`);
}
