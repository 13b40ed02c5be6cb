/**
 * The built command as its users see it: arguments, environment and bytes in; exit code, both streams and files out.
 * What it writes in the tests of a file is kept, and searched for secrets when they have run.
 */
import { afterAll, expect } from '@jest/globals';
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const COMMAND = fileURLToPath(new URL('../../dist/bin/sealdrop.js', import.meta.url));
const PTY = fileURLToPath(new URL('cli-pty.py', import.meta.url));

export interface Result {
  /** Null where a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
  readonly milliseconds: number;
}

export interface RunOptions {
  env?: Record<string, string>;
  input?: Uint8Array | string;
  /** Milliseconds until it is killed. Default 60,000. */
  timeout?: number;
}

export interface Running {
  readonly child: ChildProcess;
  readonly result: Promise<Result>;
  /** Standard output so far. */
  stdout(): Buffer;
}

/** What happens at a terminal: when the text appears, something is typed or sent. */
export interface PtyStep {
  wait?: string;
  send?: string;
  signal?: 'SIGINT' | 'SIGTERM';
  /** What must exist besides: the test's way to say that it is time. */
  file?: string;
}

const boxes: Box[] = [];
const outputs: string[] = [];
const secrets = new Map<string, string>();

/** Says that a text must never be written out. */
export function secret(what: string, text: string): string {
  secrets.set(text, what);
  return text;
}

/** A summary without how long it took, which it tells where that was more than a second. */
const timeless = (text: string): string => text.replace(/( [KMGT]?i?B) in \d+ s\)/g, '$1)');

/** A folder to work in, with an environment of its own: nothing of this machine's AWS settings is seen in it. */
export class Box {
  /** Where commands run. */
  readonly dir: string;
  readonly home: string;
  /** The TMPDIR of commands. */
  readonly tmp: string;
  readonly env: Record<string, string>;
  /** Names for values: `{name}` stands for them in transcripts. */
  readonly names: Record<string, string>;
  readonly #base: string;

  constructor(env: Record<string, string> = {}, names: Record<string, string> = {}) {
    this.#base = realpathSync(mkdtempSync(join(tmpdir(), 'sealdrop-cli-')));
    [this.dir, this.home, this.tmp] = ['work', 'home', 'tmp'].map((name) => join(this.#base, name)) as [
      string,
      string,
      string,
    ];
    const bin = join(this.#base, 'bin');
    for (const folder of [this.dir, this.home, this.tmp, bin]) mkdirSync(folder);
    writeFileSync(join(bin, 'sealdrop'), `#!/bin/sh\nexec '${process.execPath}' '${COMMAND}' "$@"\n`);
    chmodSync(join(bin, 'sealdrop'), 0o755);
    this.env = {
      PATH: `${bin}:${process.env.PATH ?? ''}`,
      HOME: this.home,
      TMPDIR: this.tmp,
      LANG: 'C.UTF-8',
      TZ: 'UTC',
      AWS_EC2_METADATA_DISABLED: 'true',
      ...env,
    };
    this.names = { dir: this.dir, ...names };
    boxes.push(this);
  }

  path(name: string): string {
    return join(this.dir, name);
  }

  write(name: string, bytes: Uint8Array | string): string {
    mkdirSync(dirname(this.path(name)), { recursive: true });
    writeFileSync(this.path(name), bytes);
    return this.path(name);
  }

  read(name: string): Buffer {
    return readFileSync(this.path(name));
  }

  has(name: string): boolean {
    return existsSync(this.path(name));
  }

  /** Every file below the folder, hidden ones too, and what was left in the folder for temporary files. */
  files(below = ''): string[] {
    return [...filesBelow(this.path(below)), ...filesBelow(this.tmp).map((name) => `TMPDIR/${name}`)].sort();
  }

  /** Files in the home of whoever runs the commands. */
  homeFiles(below: string): string[] {
    return filesBelow(join(this.home, below)).sort();
  }

  start(args: readonly string[], { env, input }: RunOptions = {}): Running {
    return this.#spawn(process.execPath, [COMMAND, ...args], { env, input });
  }

  async run(args: readonly string[], options: RunOptions = {}): Promise<Result> {
    return withTimeout(this.start(args, { input: '', ...options }), options.timeout);
  }

  /** By bash, for pipes and redirections. */
  async shell(command: string, options: RunOptions = {}): Promise<Result> {
    const line = this.#spawn('bash', ['-c', command], { input: '', ...options });
    return withTimeout(line, options.timeout);
  }

  /** At a terminal of 100 columns; both streams come out as one. */
  async terminal(args: readonly string[], steps: readonly PtyStep[] = [], options: RunOptions = {}) {
    const job = JSON.stringify({ argv: [process.execPath, COMMAND, ...args], steps });
    const started = this.#spawn('python3', [PTY], { env: options.env, input: job });
    const { code, stdout, stderr } = await withTimeout(started, options.timeout);
    if (stderr !== '') throw new Error(stderr);
    return { code, screen: stdout.toString() };
  }

  /**
   * Runs the commands of a transcript and compares: `$ ` begins a command, `> ` a line of standard output, `! ` one of
   * standard error, `[5]` is an exit code that is not 0, and `#` a remark. `{name}` stands for a name's value, and
   * `{fingerprint}`, `{time}` for what looks like one.
   */
  async transcript(text: string, options: RunOptions = {}): Promise<void> {
    const wanted = outdented(text);
    const seen: string[] = [];
    for (const line of wanted.split('\n')) {
      if (line.startsWith('#') || line === '') seen.push(line);
      if (!line.startsWith('$ ')) continue;
      const { code, stdout, stderr } = await this.shell(this.#meant(line.slice(2)), options);
      seen.push(line, ...marked('> ', this.#named(stdout.toString())), ...marked('! ', this.#named(stderr)));
      if (code !== 0) seen.push(`[${code ?? 'killed'}]`);
    }
    expect(seen.join('\n')).toBe(wanted);
  }

  #meant(command: string): string {
    return Object.entries(this.names).reduce(
      (text, [name, value]) => text.replaceAll(`{${name}}`, value),
      command,
    );
  }

  #named(output: string): string {
    const longestFirst = Object.entries(this.names).sort(([, a], [, b]) => b.length - a.length);
    return longestFirst
      .reduce((text, [name, value]) => text.replaceAll(value, `{${name}}`), output)
      .replace(/(?<![\w-])[\w-]{43}(?![\w-])/g, '{fingerprint}')
      .replace(/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{3}Z)?/g, '{time}');
  }

  #spawn(command: string, args: readonly string[], { env, input }: RunOptions): Running {
    const began = Date.now();
    const stdio: StdioOptions = ['pipe', 'pipe', 'pipe'];
    const child = spawn(command, args, { cwd: this.dir, env: { ...this.env, ...env }, stdio });
    const pieces: { stdout: Buffer[]; stderr: Buffer[] } = { stdout: [], stderr: [] };
    for (const stream of ['stdout', 'stderr'] as const)
      child[stream]!.on('data', (piece: Buffer) => pieces[stream].push(piece));
    // It may end without having read its input.
    child.stdin!.on('error', () => undefined);
    if (input !== undefined) child.stdin!.end(input);
    const result = new Promise<Result>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        const stdout = Buffer.concat(pieces.stdout);
        const stderr = timeless(Buffer.concat(pieces.stderr).toString());
        outputs.push(stdout.toString('latin1'), stderr);
        resolve({ code, signal, stdout, stderr, milliseconds: Date.now() - began });
      });
    });
    return { child, result, stdout: () => Buffer.concat(pieces.stdout) };
  }

  remove(): void {
    rmSync(this.#base, { recursive: true, force: true });
  }

  get base(): string {
    return this.#base;
  }
}

async function withTimeout({ child, result }: Running, milliseconds = 60_000): Promise<Result> {
  const timer = setTimeout(() => child.kill('SIGKILL'), milliseconds);
  return result.finally(() => clearTimeout(timer));
}

function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}

function outdented(text: string): string {
  const lines = text.replace(/^\n/, '').trimEnd().split('\n');
  const indent = Math.min(...lines.filter((line) => line.trim() !== '').map((line) => line.search(/\S/)));
  return lines.map((line) => line.slice(indent)).join('\n');
}

function marked(mark: string, output: string): string[] {
  return output === ''
    ? []
    : output
        .replace(/\n$/, '')
        .split('\n')
        .map((line) => `${mark}${line}`.trimEnd());
}

/** The documents of `--json`, one a line. */
export function documents({ stdout }: Pick<Result, 'stdout'>): Record<string, unknown>[] {
  const lines = stdout.toString().split('\n');
  expect(lines.pop()).toBe('');
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** Waits until something holds. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 20_000; Date.now() < end; await sleep(25)) if (await holds()) return;
  throw new Error(`waited in vain until ${what}`);
}

/** The same of all that a key set has, and of AES keys in it. */
function keepSecrets(file: string): void {
  const text = readFileSync(file, 'utf8');
  if (!file.endsWith('.json')) return keepSecret(file, readFileSync(file, 'latin1'));
  for (const [, aes] of text.matchAll(/"secretKey": *"([\w+/=]+)"/g)) secret(`an AES key in ${file}`, aes!);
  for (const [pem] of text.replaceAll('\\n', '\n').matchAll(/-----BEGIN [A-Z ]*PRIVATE KEY-----[^"]*/g))
    keepSecret(file, pem);
}

/** What must not be seen of a private key: its text, line by line, and its numbers. */
function keepSecret(file: string, pem: string): void {
  if (!pem.includes('PRIVATE KEY-----')) return;
  for (const line of pem.split('\n')) if (/^[\w+/=]{40,}$/.test(line)) secret(`a line of ${file}`, line);
  try {
    const { d, p, q } = createPrivateKey(pem).export({ format: 'jwk' });
    for (const number of [d, p, q]) if (number !== undefined) secret(`a number of ${file}`, number);
  } catch {
    // Locked, or damaged by a test: its lines will do.
  }
}

function forms(text: string): string[] {
  const bytes = Buffer.from(text);
  return [
    text,
    encodeURIComponent(text),
    ...(['hex', 'base64', 'base64url'] as const).map((e) => bytes.toString(e)),
  ];
}

afterAll(() => {
  for (const box of boxes)
    for (const name of filesBelow(box.base))
      if (/\.(pem|key|der|json)$/.test(name)) keepSecrets(join(box.base, name));
  const all = outputs.join('\n');
  const seen = [...secrets].filter(([text]) => forms(text).some((form) => all.includes(form)));
  for (const box of boxes) box.remove();
  expect(seen.map(([, what]) => what)).toEqual([]);
});
