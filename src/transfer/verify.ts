/** Checking an object without taking it out. Without a private key this finds damage, and proves no integrity. */
import { createHash, type Hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { isIntegrityError, type SealdropError } from '../errors.js';
import type {
  ByteSource,
  Decryptor,
  Inspector,
  MessageInfo,
  ObjectParts,
  ObjectStore,
  ReadPolicy,
  StoredChecksum,
} from '../ports.js';
import type { Binding, Bound } from './context.js';
import { openMessage, withPlainHint } from './get.js';
import { readMetadata } from './metadata.js';
import { partsOf } from './object-parts.js';
import { counted } from './put.js';
import { nowhere } from './target.js';

export interface VerifyJob extends Binding {
  store: ObjectStore;
  key: string;
  inspector: Inspector;
  /** With it, every tag is checked; without, only what anybody could forge. */
  decryptor?: Decryptor;
  /** What the vault is configured to allow, where the decryptor was not told. */
  allowed?: ReadPolicy | undefined;
  signal?: AbortSignal;
  onFound?: (size: number) => void;
  onProgress?: (bytes: number) => void;
}

export interface Check {
  readonly name: 'framing' | 'size' | 'checksum' | 'integrity';
  readonly result: 'passed' | 'failed' | 'absent';
  readonly detail: string;
}

export interface VerifyReport {
  readonly key: string;
  readonly size: number;
  readonly info?: MessageInfo;
  readonly bound?: Bound;
  readonly checks: readonly Check[];
  /** The first failure, where there is one. */
  readonly failure?: SealdropError;
}

export async function verify(job: VerifyJob): Promise<VerifyReport> {
  const { store, key, signal } = job;
  // All of one object: whoever replaces it meanwhile must not make this one look damaged.
  const { etag } = await store.head(key, { signal });
  const stored = (await store.checksums(key, { signal }))[0];
  const { info: object, body } = await store.get(key, {
    whole: true,
    transient: true,
    signal,
    ifMatch: etag,
  });
  job.onFound?.(object.size);
  const digest = stored === undefined ? undefined : digester(stored);
  try {
    const bytes = counted(observed(body, digest), (total) => job.onProgress?.(total));
    const parts = partsOf(store, object, signal);
    const opened = await (job.decryptor
      ? open(bytes, job, job.decryptor, parts)
      : scan(bytes, job.inspector, parts));
    const checks = [...opened.checks];
    // After a failure the rest was not read, and no digest of the whole is known.
    if (opened.failure === undefined) checks.push(checkDigest(stored, digest));
    const failure = opened.failure && withPlainHint(opened.failure, object);
    return { key, size: object.size, ...opened, ...(failure && { failure }), checks };
  } finally {
    body.destroy();
  }
}

type Opened = Pick<VerifyReport, 'info' | 'bound' | 'checks' | 'failure'>;

async function open(
  bytes: ByteSource,
  job: VerifyJob,
  decryptor: Decryptor,
  parts: ObjectParts,
): Promise<Opened> {
  try {
    const opening = { ...job, decryptor, target: nowhere };
    const { info, bound, plaintextSize } = await openMessage(bytes, opening, parts);
    if (info.unauthenticated === true)
      return {
        info,
        bound,
        checks: [NOT_AUTHENTICATED, checkSize(plaintextSize, readMetadata(parts.metadata).size)],
      };
    const detail = `all of ${plaintextSize} plaintext bytes authenticated`;
    return { info, bound, checks: [{ name: 'integrity', result: 'passed', detail }] };
  } catch (error) {
    if (!isIntegrityError(error)) throw error;
    return { failure: error, checks: [{ name: 'integrity', result: 'failed', detail: error.message }] };
  }
}

async function scan(bytes: ByteSource, inspector: Inspector, parts: ObjectParts): Promise<Opened> {
  try {
    const { info, frames, plaintextSize } = await inspector.scan(bytes, parts);
    const framing = {
      name: 'framing',
      result: 'passed',
      detail:
        info.format === 's3ec'
          ? 'its header is complete; whether its content is, the key alone tells'
          : `complete, ${frames === 1 ? 'one frame' : `${frames} frames in order`}`,
    } as const;
    return { info, checks: [framing, checkSize(plaintextSize, readMetadata(parts.metadata).size)] };
  } catch (error) {
    if (!isIntegrityError(error)) throw error;
    return { failure: error, checks: [{ name: 'framing', result: 'failed', detail: error.message }] };
  }
}

const NOT_AUTHENTICATED: Check = {
  name: 'integrity',
  result: 'absent',
  detail: 'nothing authenticates its content',
};

function checkSize(found: number, claimed: number | undefined): Check {
  if (claimed === undefined)
    return { name: 'size', result: 'absent', detail: `${found} plaintext bytes, nothing to compare` };
  const detail = `${found} plaintext bytes, the metadata says ${claimed}`;
  return { name: 'size', result: found === claimed ? 'passed' : 'failed', detail };
}

function checkDigest(stored: StoredChecksum | undefined, digest: Digester | undefined): Check {
  if (stored === undefined || digest === undefined)
    return { name: 'checksum', result: 'absent', detail: 'the store keeps none that can be checked' };
  const found = digest.value();
  if (found === stored.value)
    return { name: 'checksum', result: 'passed', detail: `${stored.kind} ${found}` };
  return {
    name: 'checksum',
    result: 'failed',
    detail: `${stored.kind} is ${found}, the store says ${stored.value}`,
  };
}

interface Digester {
  update(bytes: Uint8Array): void;
  value(): string;
}

function digester(stored: StoredChecksum): Digester {
  if (stored.kind === 'crc32') return crc32Digester();
  if (stored.kind === 'md5') return md5Digester();
  return partsDigester(stored.partSize);
}

function crc32Digester(): Digester {
  let value = 0;
  return {
    update: (bytes) => (value = crc32(bytes, value)),
    value: () => value.toString(16).padStart(8, '0'),
  };
}

function md5Digester(): Digester {
  const hash = createHash('md5');
  return { update: (bytes) => hash.update(bytes), value: () => hash.digest('hex') };
}

/** MD5 over the MD5s of the parts, as S3 makes the ETag of a multipart upload. */
function partsDigester(partSize: number): Digester {
  const whole = createHash('md5');
  let part: Hash = createHash('md5');
  let filled = 0;
  const endPart = () => {
    whole.update(part.digest());
    part = createHash('md5');
    filled = 0;
  };
  return {
    update: (bytes) => {
      for (let at = 0; at < bytes.length;) {
        if (filled === partSize) endPart();
        const piece = bytes.subarray(at, at + partSize - filled);
        part.update(piece);
        filled += piece.length;
        at += piece.length;
      }
    },
    value: () => {
      endPart();
      return whole.digest('hex');
    },
  };
}

async function* observed(source: ByteSource, digest: Digester | undefined): AsyncGenerator<Uint8Array> {
  for await (const piece of source) {
    digest?.update(piece);
    yield piece;
  }
}
