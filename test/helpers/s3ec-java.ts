/**
 * The Amazon S3 Encryption Clients for Java in a process of their own: version 4, and the two of the AWS SDK for Java 1.
 * What they write we read, and what we write they read. With RSA and AES keys; for KMS keys there are other clients.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { CommitmentPolicyName } from '../../src/ports.js';
import { privatePem, publicPem, type Pair } from './keys.js';
import { tail } from './run.js';
import { javaWithS3ec } from './s3ec-java-program.js';
import { tempFolder } from './server-process.js';
import { awsEnvironment, type S3Server } from './servers.js';

/** 16, 24 or 32 bytes are an AES key. */
export type JavaKey = Pair | Buffer;

export interface JavaJob {
  readonly client: 'v4' | 'v2' | 'v1';
  readonly bucket: string;
  readonly key: string;
  readonly wrapping: JavaKey;
  /**
   * The material description. A get with one opens only objects that have the same: version 4 needs none, the legacy clients
   * take none for an empty one.
   */
  readonly description?: Readonly<Record<string, string>>;
  /** Of v4, which it writes: 0x0072 or 0x0073. Default: the latter. */
  readonly suite?: number;
  /** Of v4. Default: REQUIRE_ENCRYPT_REQUIRE_DECRYPT. */
  readonly policy?: CommitmentPolicyName;
  /** Of the legacy clients, which have no default here. */
  readonly mode?: 'EncryptionOnly' | 'AuthenticatedEncryption' | 'StrictAuthenticatedEncryption';
  readonly legacyWrapping?: boolean;
  /** CBC and ranges. */
  readonly legacyModes?: boolean;
  /** Whether a put writes one; a get finds it by itself. */
  readonly instructionFile?: boolean;
  /** Of v4: whether a put is in parts of 5 MiB. */
  readonly multipart?: boolean;
}

export interface JavaGet extends JavaJob {
  /** Of the plaintext, both included. */
  readonly range?: readonly [first: number, last: number];
  /** Of the instruction file, without the dot. */
  readonly suffix?: string;
}

/**
 * `description` is the new key's, and must be another than the object has. An RSA key needs a suffix, and an AES key can
 * have none.
 */
export interface JavaReencrypt extends JavaJob {
  readonly newWrapping: JavaKey;
  readonly suffix?: string;
}

/** What a client refused with. Its message is the client's, causes included. */
export class JavaRefusal extends Error {
  override readonly name = 'JavaRefusal';
}

type Answer = { readonly ok: true } | { readonly ok: false; readonly error: string };

export class S3ecJava {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #answers: AsyncIterator<string>;
  readonly #folder: string;
  readonly #endpoint: string;
  #last: Promise<unknown> = Promise.resolve();
  #files = 0;
  #stderr = '';

  private constructor(child: ChildProcessWithoutNullStreams, folder: string, endpoint: string) {
    this.#child = child;
    this.#folder = folder;
    this.#endpoint = endpoint;
    this.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    child.stderr.on('data', (data: Buffer) => (this.#stderr += data.toString()));
    // It may have ended; its answers tell.
    child.stdin.on('error', () => undefined);
  }

  /** Starts it for the buckets of one server. It ends with `stop`, or with this process. */
  static async start(server: S3Server): Promise<S3ecJava> {
    const args = ['-Xmx2g', '-Daws.java.v1.disableDeprecationAnnouncement=true', '-cp', await javaWithS3ec()];
    const env = { ...process.env, ...awsEnvironment(server) };
    const child = spawn('java', [...args, 's3ec.Driver'], { env });
    return new S3ecJava(child, tempFolder('s3ec-java'), server.endpoint);
  }

  async put(job: JavaJob, body: Uint8Array): Promise<void> {
    const file = await this.#file(body);
    await this.#run({ op: 'put', ...job, body: file });
    await rm(file);
  }

  /** @throws JavaRefusal */
  async get(job: JavaGet): Promise<Buffer> {
    const file = await this.#file('');
    await this.#run({ op: 'get', ...job, body: file });
    const body = await readFile(file);
    await rm(file);
    return body;
  }

  /** Has the instruction file written anew for another key, or one with another suffix beside it. */
  async reencrypt(job: JavaReencrypt): Promise<void> {
    await this.#run({ op: 'reencrypt', ...job });
  }

  async stop(): Promise<void> {
    const { exitCode, signalCode } = this.#child;
    if (exitCode === null && signalCode === null) {
      const ended = once(this.#child, 'close');
      this.#child.stdin.end();
      await ended;
    }
    await rm(this.#folder, { recursive: true });
  }

  async #run(job: JavaJob & { op: string; body?: string; suffix?: string; newWrapping?: JavaKey }) {
    const [wrapping, newWrapping] = await Promise.all(
      [job.wrapping, job.newWrapping].map((k) => this.#key(k)),
    );
    const line = JSON.stringify({ ...job, endpoint: this.#endpoint, wrapping, newWrapping });
    const answer = this.#last.then(() => this.#ask(line));
    this.#last = answer.catch(() => undefined);
    const result = await answer;
    if (!result.ok) throw new JavaRefusal(result.error);
  }

  async #ask(line: string): Promise<Answer> {
    this.#child.stdin.write(`${line}\n`);
    const { value, done } = await this.#answers.next();
    if (done === true) throw new Error(`the program for Java ended:\n${tail(this.#stderr)}`);
    return JSON.parse(value) as Answer;
  }

  async #key(key: JavaKey | undefined): Promise<Record<string, string> | undefined> {
    if (key === undefined) return undefined;
    if (Buffer.isBuffer(key)) return { aesKey: await this.#file(key.toString('base64')) };
    return {
      publicKey: await this.#file(publicPem(key)),
      privateKey: await this.#file(privatePem(key)),
    };
  }

  async #file(content: Uint8Array | string): Promise<string> {
    const file = join(this.#folder, String(this.#files++));
    await writeFile(file, content, { mode: 0o600 });
    return file;
  }
}
