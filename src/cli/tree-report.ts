/** What is said of a tree: its failures as they come, everything with `--json`, and at the end a summary. */
import { exitCodeOf, SealdropError } from '../errors.js';
import { printable } from '../printable.js';
import type { TreeEvent, TreeReport } from '../transfer/tree/work.js';
import type { Environment } from './command.js';
import { formatBytes, type Output } from './output.js';

export interface TreeWords {
  /** As `stored`. */
  readonly done: string;
  /** As `would be stored`. */
  readonly planned: string;
  /** Whether an earlier run is gone on with by `--resume`; else by the same command. */
  readonly resumes: boolean;
}

const LEFT_OUT: Record<NonNullable<TreeEvent['why']>, [one: string, many: string]> = {
  symlink: ['symbolic link', 'symbolic links'],
  loop: ['link in a circle', 'links in a circle'],
  special: ['special file', 'special files'],
  empty_directory: ['empty directory', 'empty directories'],
  folder_marker: ['folder marker', 'folder markers'],
  instruction_file: ['instruction file', 'instruction files'],
};

export class TreeReporter {
  readonly #environment: Environment;
  readonly #output: Output;
  readonly #words: TreeWords;
  readonly #began = Date.now();

  constructor(environment: Environment, output: Output, words: TreeWords) {
    this.#environment = environment;
    this.#output = output;
    this.#words = words;
  }

  /**
   * @param names the address and the file, as `--json` calls them: from where, to where
   * @param document what `--json` says of something done
   */
  tell(event: TreeEvent, names: Record<string, string>, document: () => object): void {
    const { outcome, path, why, bytes, error } = event;
    const output = this.#output;
    if (outcome === 'failed') return output.error(error, { outcome, path, ...names }, path);
    if (output.json)
      output.document({
        outcome,
        path,
        ...(outcome === 'done' ? document() : { ...names, why, bytes }),
      });
    else if (outcome === 'planned')
      output.note(`${this.#words.planned}: ${Object.values(names).map(printable).join(' -> ')}`);
  }

  /** Says how it ended, and sets the exit code. */
  end(report: TreeReport): void {
    const seconds = (Date.now() - this.#began) / 1000;
    const { done, present, planned, failed, leftOut, bytes, unbound, stoppedBy } = report;
    this.#output.result(
      {
        summary: {
          done,
          present,
          planned,
          failed,
          leftOut,
          bytes,
          unbound,
          stopped: stoppedBy !== undefined,
          seconds,
        },
      },
      this.#summary(report, seconds),
    );
    if (stoppedBy !== undefined)
      this.#output.note(
        `hint: it was stopped there; when that is put right, the same command${this.#words.resumes ? ' with --resume' : ''} goes on`,
      );
    if (failed === 0) return;
    const some = done + present + planned > 0 || this.#environment.exitCode !== 0;
    this.#environment.exitCode = exitCodeOf(
      some ? new SealdropError('partial', 'some failed') : (stoppedBy ?? report.firstError),
    );
  }

  #summary(report: TreeReport, seconds: number): string {
    const { done, present, planned, failed, leftOut, bytes, unbound } = report;
    const words = this.#words;
    const rate = done > 0 && seconds > 1 ? ` in ${seconds.toFixed(0)} s` : '';
    const parts = [
      planned > 0 ? `${count(planned)} ${words.planned} (${formatBytes(bytes)})` : undefined,
      done > 0 || planned + present + failed === 0
        ? `${count(done)} ${words.done} (${formatBytes(bytes)}${rate})`
        : undefined,
      present > 0 ? `${present} there already` : undefined,
      failed > 0 ? `${failed} failed` : undefined,
      ...Object.entries(leftOut).map(
        ([why, n]) => `${n} ${LEFT_OUT[why as keyof typeof LEFT_OUT][n === 1 ? 0 : 1]} left out`,
      ),
      unbound > 0
        ? `${unbound} of them name no key, so the store could have put others in their place`
        : undefined,
    ];
    return parts.filter((part) => part !== undefined).join(', ');
  }
}

const count = (n: number): string => (n === 1 ? '1 file' : `${n} files`);
