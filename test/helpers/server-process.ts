import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, openSync, closeSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { tail } from './run.js';

export interface ServerCommand {
  name: string;
  command: string;
  args: string[];
  env?: Record<string, string>;
  /** Resolves to true when it serves. */
  ready: () => Promise<boolean>;
  /** Milliseconds. Default 30,000. */
  timeout?: number;
  /** For its data; removed when it has stopped. */
  folder: string;
}

export interface ServerProcess {
  readonly log: string;
  readonly stop: () => Promise<void>;
}

// Holds the server's life to the open standard input: it ends with the process that started it, however that ends.
// `kill 0` takes what the server started itself, too: they are a process group of their own.
const KEEPER = `exec 3<&0
"$@" </dev/null 3<&- &
server=$!
(cat <&3 >/dev/null; kill -9 $server; rm -rf "$SERVER_FOLDER"; kill -9 0) &
wait $server`;

export function tempFolder(name: string): string {
  return mkdtempSync(join(tmpdir(), `sealdrop-${name}-`));
}

/** A port that nothing listens on now. */
export async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}

/** Starts a server and waits until it serves. Throws with the end of its log if it doesn't. */
export async function startProcess(server: ServerCommand): Promise<ServerProcess> {
  const log = join(server.folder, 'server.log');
  const output = openSync(log, 'w');
  const child = spawn('/bin/sh', ['-c', KEEPER, 'sh', server.command, ...server.args], {
    detached: true,
    stdio: ['pipe', output, output],
    env: { ...process.env, ...server.env, SERVER_FOLDER: server.folder },
  });
  closeSync(output);
  const stop = async () => {
    await ended(child);
    await rm(server.folder, { recursive: true, force: true });
  };
  if (await served(server, child)) return { log, stop };
  const said = tail(readFileSync(log, 'utf8'));
  await stop();
  throw new Error(`${server.name} did not start:\n${said}`);
}

async function served({ ready, timeout = 30_000 }: ServerCommand, child: ChildProcess): Promise<boolean> {
  for (const until = Date.now() + timeout; Date.now() < until; await sleep(50)) {
    if (child.exitCode !== null) return false;
    if (await ready().catch(() => false)) return true;
  }
  return false;
}

async function ended(child: ChildProcess): Promise<void> {
  const exit = new Promise((resolve) => child.once('exit', resolve));
  const over = child.exitCode !== null || child.signalCode !== null;
  child.stdin?.on('error', () => undefined);
  child.stdin?.end();
  if (!over) await Promise.race([exit, sleep(5_000, undefined, { ref: false })]);
}
