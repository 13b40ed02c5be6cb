import { execFile } from 'node:child_process';

export interface RunOptions {
  env?: Record<string, string>;
  cwd?: string;
  /** Milliseconds. Default one minute. */
  timeout?: number;
}

/** Runs a program to its end. Rejects with what it wrote, when it fails. */
export async function run(command: string, args: string[], options: RunOptions = {}): Promise<string> {
  const { env, cwd, timeout = 60_000 } = options;
  return new Promise((resolve, reject) => {
    const settings = { cwd, timeout, env: { ...process.env, ...env }, maxBuffer: 64 * 1024 * 1024 };
    execFile(command, args, settings, (error, stdout, stderr) => {
      if (!error) resolve(stdout);
      else
        reject(
          new Error(`${command} ${args.join(' ')} failed: ${tail(`${stderr}${stdout}` || error.message)}`),
        );
    });
  });
}

export const tail = (text: string): string => text.trimEnd().split('\n').slice(-25).join('\n');
