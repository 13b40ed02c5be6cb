/** Headers of s3ec objects as metadata, written out by hand, and the parts that an object comes with. */
import type { ObjectParts } from '../../src/ports.js';

export type Entries = Record<string, string>;

const base64 = (length: number, fill: number) => Buffer.alloc(length, fill).toString('base64');

/** V3, wrapped by a raw AES key. */
export const V3: Entries = {
  'x-amz-c': '115',
  'x-amz-3': base64(60, 1),
  'x-amz-w': '02',
  'x-amz-d': base64(28, 2),
  'x-amz-i': base64(28, 3),
  'x-amz-m': '{"team":"ops"}',
};

export const V3_KMS: Entries = {
  ...without(V3, 'x-amz-m'),
  'x-amz-3': base64(184, 1),
  'x-amz-w': '12',
  'x-amz-t': '{"aws:x-amz-cek-alg":"115","team":"ops"}',
};

export const V2: Entries = {
  'x-amz-key-v2': base64(60, 1),
  'x-amz-iv': base64(12, 2),
  'x-amz-matdesc': '{"team":"ops"}',
  'x-amz-cek-alg': 'AES/GCM/NoPadding',
  'x-amz-wrap-alg': 'AES/GCM',
  'x-amz-tag-len': '128',
  'x-amz-unencrypted-content-length': '40',
};

export const V2_KMS: Entries = {
  ...V2,
  'x-amz-key-v2': base64(184, 1),
  'x-amz-wrap-alg': 'kms+context',
  'x-amz-matdesc': '{"aws:x-amz-cek-alg":"AES/GCM/NoPadding","team":"ops"}',
};

export const V1: Entries = {
  'x-amz-key': base64(48, 1),
  'x-amz-iv': base64(16, 2),
  'x-amz-matdesc': '{"team":"ops"}',
};

/** V3's entries in the object's metadata, and those in its instruction file. */
export const SPLIT_V3 = {
  metadata: without(V3, 'x-amz-3', 'x-amz-w', 'x-amz-m'),
  file: without(V3, 'x-amz-c', 'x-amz-d', 'x-amz-i'),
};

export function without(entries: Entries, ...names: readonly string[]): Entries {
  return Object.fromEntries(Object.entries(entries).filter(([name]) => !names.includes(name)));
}

/** An object's parts, and how often its instruction file was asked for. */
export interface Beside extends ObjectParts {
  readonly asked: () => number;
}

/** `file`: of an instruction file; what is no bytes and no text becomes JSON. */
export function beside(metadata: Entries, file?: unknown, size = 56): Beside {
  let asked = 0;
  return {
    metadata,
    size,
    async instruction() {
      asked++;
      if (file === undefined || file instanceof Uint8Array) return file;
      return Buffer.from(typeof file === 'string' ? file : JSON.stringify(file));
    },
    asked: () => asked,
  };
}
