/** The built command as a running process: for `serve`, and for whatever is to be killed half-way. */
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export const COMMAND = join(process.cwd(), 'dist/bin/sealdrop.js');

export interface Running {
  readonly child: ChildProcess;
  /** All that was written so far, both streams. */
  output(): string;
  /** Resolves when the output has this text (`times` times). */
  says(text: string | RegExp, times?: number): Promise<void>;
  /** Resolves with the exit code, or the signal's name. */
  ended(): Promise<number | string>;
  kill(signal: NodeJS.Signals): Promise<number | string>;
}

/** Without what the machine has set for AWS and sealdrop. */
export function cleanEnvironment(extra: Record<string, string> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(AWS|SEALDROP)_/.test(name));
  return { ...Object.fromEntries(kept), AWS_EC2_METADATA_DISABLED: 'true', ...extra };
}

export function start(args: string[], options: { cwd: string; env?: Record<string, string> }): Running {
  const child = spawn(process.execPath, [COMMAND, ...args], {
    cwd: options.cwd,
    env: cleanEnvironment(options.env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data: Buffer) => (text += data.toString()));
  const end = new Promise<number | string>((resolve) =>
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'unknown')),
  );
  const says = async (wanted: string | RegExp, times = 1) => {
    const pattern =
      typeof wanted === 'string' ? wanted.replace(/[.*+?^${}()|[\]\\]/g, '\\$&') : wanted.source;
    for (const until = Date.now() + 30_000; Date.now() < until; await sleep(30)) {
      if ([...text.matchAll(new RegExp(pattern, 'g'))].length >= times) return;
      if (child.exitCode !== null) break;
    }
    throw new Error(`it never said ${pattern} ${times} times; it said:\n${text}`);
  };
  return {
    child,
    says,
    output: () => text,
    ended: () => end,
    kill: async (signal) => {
      child.kill(signal);
      return end;
    },
  };
}

/** Runs the command to its end. */
export async function runToEnd(
  args: string[],
  options: { cwd: string; env?: Record<string, string> },
): Promise<{ code: number | string; output: string }> {
  const running = start(args, options);
  return { code: await running.ended(), output: running.output() };
}
