import { SingleBar } from 'cli-progress';
import { formatBytes, type Output } from './output.js';

export interface Progress {
  /** Bytes expected, once they are known. */
  total(bytes: number): void;
  /** Bytes done so far. */
  done(bytes: number): void;
  stop(): void;
}

/** One display for many files. */
export interface TreeProgress {
  /** True where anybody sees it: only then is it worth counting beforehand. */
  readonly shown: boolean;
  /** One more file to come, and its bytes. */
  expect(bytes: number): void;
  /** Bytes done since it was told last. */
  moved(bytes: number): void;
  fileDone(): void;
  stop(): void;
}

/** A bar on standard error: bytes, rate and time left. Nothing unless that is a terminal. */
export function startProgress(output: Output, label: string): Progress {
  return (
    startBar(output, () => label) ?? { total: () => undefined, done: () => undefined, stop: () => undefined }
  );
}

/** The same for a tree, with files done and known. */
export function startTreeProgress(output: Output): TreeProgress {
  const files = { done: 0, known: 0 };
  const bytes = { done: 0, known: 0 };
  const bar = startBar(output, () => `${files.done} of ${files.known} files`);
  return {
    shown: bar !== undefined,
    expect(size) {
      files.known++;
      bar?.total((bytes.known += size));
    },
    moved: (more) => bar?.done((bytes.done += more)),
    fileDone: () => void files.done++,
    stop: () => bar?.stop(),
  };
}

function startBar(output: Output, label: () => string): Progress | undefined {
  if (output.quiet || output.json || !process.stderr.isTTY) return undefined;
  // Content that scrolls by at the same terminal would be written over.
  if (output.contentOnStdout && process.stdout.isTTY) return undefined;
  let expected = 0;
  const started = Date.now();
  const bar = new SingleBar({
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
    barsize: 24,
    format: (options, params) => {
      const seconds = Math.max(0.001, (Date.now() - started) / 1000);
      const rate = params.value / seconds;
      const filled = Math.round(params.progress * (options.barsize ?? 0));
      const drawn = '#'.repeat(filled).padEnd(options.barsize ?? 0, '-');
      const figures = `${formatBytes(params.value)}${expected > 0 ? ` of ${formatBytes(expected)}` : ''}`;
      const left =
        expected > 0 && rate > 0 ? `, ${formatSeconds((expected - params.value) / rate)} left` : '';
      return `${label()} [${drawn}] ${figures}, ${formatBytes(rate)}/s${left}`;
    },
  });
  bar.start(1, 0);
  // Whatever ends the process meanwhile: the terminal gets its cursor back.
  const stop = () => bar.stop();
  process.once('exit', stop);
  return {
    total: (bytes) => {
      expected = bytes;
      bar.setTotal(Math.max(1, bytes));
    },
    done: (bytes) => bar.update(bytes),
    stop: () => {
      process.off('exit', stop);
      stop();
    },
  };
}

function formatSeconds(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s}s`;
  return s < 3600
    ? `${Math.floor(s / 60)}m${s % 60}s`
    : `${Math.floor(s / 3600)}h${Math.floor((s % 3600) / 60)}m`;
}
