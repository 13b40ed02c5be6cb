/** Ends running functions as Lambda does at their time limit: without a word to them. */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { sep } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Gateway } from './aws-gateway.js';
import { run } from './run.js';

/**
 * Process ids. Each runs from a folder of its own, which ministack names after the function; and is told where its
 * ministack is, for another one may run a function of the same name.
 */
async function processes({ aws, outputs }: Gateway): Promise<number[]> {
  const folder = `${sep}ministack-lambda-${outputs.EncryptObjectFunction}-`;
  const lines = (await run('ps', ['-A', '-ww', '-o', 'pid=,args='])).split('\n');
  const pids = lines.filter((line) => line.includes(folder)).map((line) => Number.parseInt(line, 10));
  const { host } = new URL(aws.server.endpoint);
  const own: number[] = [];
  for (const pid of pids) {
    const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
    if (environment.includes(host)) own.push(pid);
  }
  return own;
}

/** All that run of the encrypting function: the next call begins anew. */
export async function killFunction(gateway: Gateway): Promise<void> {
  await Promise.all((await processes(gateway)).map(kill));
}

/**
 * Resolves when the process has ended: ministack gives work to one that is still ending, and nobody hears of that before
 * the queue's visibility timeout is over.
 */
async function kill(pid: number): Promise<void> {
  process.kill(pid, 'SIGKILL');
  while (await isRunning(pid)) await sleep(5);
}

/** Not one that has ended, with all its threads, and is yet to be waited for. Source: proc_pid_stat(5). */
async function isRunning(pid: number): Promise<boolean> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  if (threads.length > 1) return true;
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const state = stat.slice(stat.lastIndexOf(')') + 2).charAt(0);
  return state !== '' && state !== 'Z' && state !== 'X';
}

/**
 * The one whose connection comes from this port of 127.0.0.1.
 * @returns whether there was one
 */
export async function killSender(gateway: Gateway, port: number): Promise<boolean> {
  const socket = await socketBetween(port, Number(new URL(gateway.proxy!.endpoint).port));
  for (const pid of await processes(gateway)) {
    if (!(await holds(pid, `socket:[${socket}]`))) continue;
    await kill(pid);
    return true;
  }
  return false;
}

/**
 * The number of the socket that is connected from one port to another (Linux). Other connections, closed ones too, may
 * have the same port of their own. Source: https://docs.kernel.org/networking/proc_net_tcp.html
 */
async function socketBetween(local: number, remote: number): Promise<string | undefined> {
  const lines = [];
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6'])
    lines.push(...(await readFile(table, 'utf8').catch(() => '')).split('\n'));
  const [here, there] = [local, remote].map((port) => `:${port.toString(16).toUpperCase().padStart(4, '0')}`);
  const fields = lines
    .map((line) => line.trim().split(/\s+/))
    .find(([, from, to, state]) => from?.endsWith(here!) && to?.endsWith(there!) && state === ESTABLISHED);
  return fields?.[9];
}

const ESTABLISHED = '01';

async function holds(pid: number, link: string): Promise<boolean> {
  const folder = `/proc/${pid}/fd`;
  for (const name of await readdir(folder).catch(() => []))
    if ((await readlink(`${folder}/${name}`).catch(() => '')) === link) return true;
  return false;
}
