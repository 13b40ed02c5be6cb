/** What is said of a sync: failures and removals as they come, everything with `--json`, and at the end a summary. */
import { exitCodeOf, SealdropError } from '../errors.js';
import { printable } from '../printable.js';
import type { SyncEvent } from '../transfer/sync/sync.js';
import type { Environment } from './command.js';
import { formatBytes, type Output } from './output.js';

interface SyncReportOptions {
  environment: Environment;
  output: Output;
  /** Word for a transfer: `stored`. */
  done: string;
  dryRun: boolean;
  /** Whether removal was asked for. */
  removes: boolean;
}

const WORDS: Partial<Record<SyncEvent['outcome'], string>> = {
  removed: 'removed',
  would_remove: 'would be removed',
  left: 'left alone: not a regular file on both sides',
};

export class SyncReport {
  readonly #options: SyncReportOptions;
  readonly #counts: Partial<Record<SyncEvent['outcome'], number>> = {};
  #bytes = 0;
  #firstError: unknown;

  constructor(options: SyncReportOptions) {
    this.#options = options;
  }

  /** Whether there was anything to tell. */
  get told(): boolean {
    return Object.keys(this.#counts).length > 0;
  }

  tell({ path, outcome, bytes, error }: SyncEvent): void {
    const { output, done } = this.#options;
    this.#counts[outcome] = (this.#counts[outcome] ?? 0) + 1;
    if (outcome === 'transferred' || outcome === 'would_transfer') this.#bytes += bytes ?? 0;
    if (outcome === 'failed') {
      this.#firstError ??= error;
      return output.error(error, { outcome, path }, path);
    }
    if (outcome === 'unchanged') return;
    const word = outcome === 'would_transfer' ? `would be ${done}` : WORDS[outcome];
    if (output.json) output.document({ outcome, path, bytes });
    else if (word !== undefined) output.note(`${word}: ${printable(path)}`);
  }

  /** Says how it ended, and sets the exit code. */
  end(): void {
    const { output, environment, done, dryRun, removes } = this.#options;
    const { transferred = 0, would_transfer = 0, unchanged = 0, failed = 0, left = 0 } = this.#counts;
    const { removed = 0, would_remove = 0 } = this.#counts;
    const [moved, gone] = dryRun ? [would_transfer, would_remove] : [transferred, removed];
    const would = dryRun ? 'would be ' : '';
    const words = [
      `${moved} ${would}${done} (${formatBytes(this.#bytes)})`,
      `${unchanged} unchanged`,
      ...(removes || gone > 0 ? [`${gone} ${would}removed`] : []),
      ...(left > 0 ? [`${left} left alone`] : []),
      ...(failed > 0 ? [`${failed} failed`] : []),
    ];
    output.result({ summary: { ...this.#counts, bytes: this.#bytes } }, words.join(', '));
    if (failed === 0) return;
    const some = moved + unchanged + gone > 0;
    environment.exitCode = exitCodeOf(some ? new SealdropError('partial', 'some failed') : this.#firstError);
    if (removes && removed === 0) output.note('nothing was removed, because of what failed');
  }
}
