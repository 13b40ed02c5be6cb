/** The AWS Encryption SDK for Python, in a process of its own: what it writes we read, and what we write it reads. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { CommitmentPolicyName, OaepHash } from '../../src/ports.js';
import { NAMES, privatePem, publicPem, type Pair } from './keys.js';
import { pythonVenv } from './python-venv.js';
import { run } from './run.js';

/** The newest of each major version that installs on Python 3.11, with what decides how it behaves. */
const REQUIREMENTS = {
  4: [
    'aws-encryption-sdk[MPL]==4.0.7',
    'aws-cryptographic-material-providers==1.11.3',
    'boto3==1.44.5',
    'cryptography==50.0.2',
  ],
  2: ['aws-encryption-sdk==2.5.1', 'boto3==1.44.5', 'cryptography==36.0.2'],
  1: ['aws-encryption-sdk==1.10.1', 'boto3==1.44.5', 'cryptography==3.3.2'],
} as const;

export type Major = keyof typeof REQUIREMENTS;

/** The path of a Python that has this version and boto3. Cached; the first time takes a minute. */
export function pythonWithSdk(major: Major): Promise<string> {
  return pythonVenv(`aws-encryption-sdk-${major}`, [...REQUIREMENTS[major]]);
}

const BATCH_TIME = 2 * 60_000;
/** For `beforeAll`: long enough for a first run, which installs the version. */
export const PYTHON_SETUP_TIME = 10 * 60_000 + BATCH_TIME;

const DRIVER = resolve('test/interop/driver.py');

export interface PythonKey {
  readonly namespace: string;
  readonly name: string;
  readonly pair: Pair;
}

/** 16, 24 or 32 bytes. */
export interface PythonSecretKey {
  readonly namespace: string;
  readonly name: string;
  readonly secretKey: Buffer;
}

/** By its ARN; version 4 alone. Where KMS is and who asks, the environment says. */
export interface PythonKmsKey {
  readonly kms: string;
}

export type AnyPythonKey = PythonKey | PythonSecretKey | PythonKmsKey;

export interface PythonJob {
  readonly op: 'encrypt' | 'decrypt';
  readonly policy: CommitmentPolicyName;
  /** Decrypting takes the first alone; encrypting wraps to all. Default: one named as the ABCI guide's. */
  readonly keys: readonly AnyPythonKey[];
  /** Default sha256. */
  readonly hash?: OaepHash;
  /** Default: the version's own, which is signed. */
  readonly suite?: number;
  /** 0 makes an unframed message. Default: the version's own, 4096. */
  readonly frameLength?: number;
  readonly context?: Readonly<Record<string, string>>;
  /** By its stream interface, in pieces of 1,000 bytes. */
  readonly stream?: boolean;
  /** By its stream that refuses signed messages. */
  readonly unsignedOnly?: boolean;
  readonly maxKeys?: number;
}

export type PythonResult =
  | {
      readonly ok: true;
      readonly output: Buffer;
      readonly suite: number;
      readonly frameLength: number;
      readonly context: Readonly<Record<string, string>>;
      readonly wrappedKeys: number;
    }
  | { readonly ok: false; readonly error: string; readonly message: string };

export const guideKey = (pair: Pair): PythonKey => ({ ...NAMES, pair });

/** Jobs are gathered and then run by one Python: starting it takes longer than hundreds of them. */
export class PythonBatch {
  /** The version that ran, as it says itself; after `run`. */
  version = '';
  readonly #major: Major;
  readonly #jobs: { job: PythonJob; input: Uint8Array }[] = [];
  readonly #results: PythonResult[] = [];

  constructor(major: Major) {
    this.#major = major;
  }

  /** @returns what to ask `result` with */
  add(job: PythonJob, input: Uint8Array): number {
    return this.#jobs.push({ job, input }) - 1;
  }

  result(ticket: number): PythonResult {
    const found = this.#results[ticket];
    if (found === undefined) throw new Error(`Python gave no result ${ticket}`);
    return found;
  }

  /** What came out of a job that has to succeed. */
  output(ticket: number): Buffer {
    const result = this.result(ticket);
    if (!result.ok) throw new Error(`Python refused: ${result.error}: ${result.message}`);
    return result.output;
  }

  async run(env: Readonly<Record<string, string>> = {}): Promise<void> {
    const python = await pythonWithSdk(this.#major);
    const folder = await mkdtemp(join(tmpdir(), 'sealdrop-python-'));
    try {
      const jobs = [];
      for (const [i, { job, input }] of this.#jobs.entries()) jobs.push(await prepare(folder, i, job, input));
      const [from, to] = [join(folder, 'jobs.json'), join(folder, 'results.json')];
      await writeFile(from, JSON.stringify(jobs));
      await run(python, [DRIVER, from, to], { timeout: BATCH_TIME, env: { ...env } });
      const document = JSON.parse(await readFile(to, 'utf8')) as { version: string; results: PythonResult[] };
      this.version = document.version;
      for (const [i, result] of document.results.entries())
        this.#results.push(
          result.ok ? { ...result, output: await readFile(join(folder, `${i}.out`)) } : result,
        );
    } finally {
      await rm(folder, { recursive: true });
    }
  }
}

async function prepare(folder: string, index: number, job: PythonJob, bytes: Uint8Array): Promise<object> {
  const { hash = 'sha256', keys, ...rest } = job;
  const files = { input: join(folder, `${index}.in`), output: join(folder, `${index}.out`) };
  await writeFile(files.input, bytes);
  const named = [];
  for (const [i, key] of keys.entries()) named.push(await keyEntry(folder, job.op, key, `${index}-${i}`));
  return { ...rest, ...files, hash, keys: named };
}

async function keyEntry(
  folder: string,
  op: PythonJob['op'],
  key: AnyPythonKey,
  serial: string,
): Promise<object> {
  if ('kms' in key) return key;
  const { namespace, name } = key;
  if ('pair' in key) return { namespace, name, ...(await keyFile(folder, op, key.pair)) };
  const path = join(folder, `${serial}.key`);
  await writeFile(path, key.secretKey);
  return { namespace, name, secretKey: path };
}

const serials = new WeakMap<Pair, number>();
let pairs = 0;

/** Each side is given the half that it needs and no other. */
async function keyFile(folder: string, op: PythonJob['op'], pair: Pair): Promise<object> {
  const serial = serials.get(pair) ?? ++pairs;
  serials.set(pair, serial);
  const half = op === 'encrypt' ? 'publicKey' : 'privateKey';
  const path = join(folder, `${serial}.${half}.pem`);
  await writeFile(path, op === 'encrypt' ? publicPem(pair) : privatePem(pair));
  return { [half]: path };
}
