/**
 * The paddings that OpenSSL has no decoding for, or none that all versions of it keep quiet about. A data key has one of
 * three lengths, so each is looked for where it would lie; every byte is looked at, whatever the ones before it were.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { DATA_KEY_BYTES } from '../s3ec-unwrapping.js';

/** 1 or 0. */
type Bit = number;

const isZero = (byte: number): Bit => (byte - 1) >>> 31;

/**
 * EME-PKCS1-v1_5, `00 02 nonzero... 00 M` (RFC 8017, 7.2.2): writes M into `into` where there is one, and leaves it as it
 * is where there is none. Both take the same time, and whoever called is to go on as if nothing had happened.
 * @param into at least 32 bytes
 * @returns bytes of M, else `otherwise`
 */
export function decodePkcs1(encoded: Uint8Array, into: Uint8Array, otherwise: number): number {
  let length = otherwise;
  for (const bytes of DATA_KEY_BYTES) {
    const mask = -isPkcs1(encoded, bytes);
    length = (length & ~mask) | (bytes & mask);
    const from = encoded.length - bytes;
    for (let i = 0; i < bytes; i++) into[i] = (into[i]! & ~mask) | (encoded[from + i]! & mask);
  }
  return length;
}

function isPkcs1(encoded: Uint8Array, bytes: number): Bit {
  const separator = encoded.length - bytes - 1;
  let bad = encoded[0]! | (encoded[1]! ^ 2) | encoded[separator]!;
  for (let i = 2; i < separator; i++) bad |= isZero(encoded[i]!);
  return isZero(bad);
}

/**
 * EME-OAEP with an empty label, `00 maskedSeed maskedDB` (RFC 8017, 7.1.2), where the label's hash and MGF1's may differ,
 * as those of Java do.
 * @returns M; undefined whatever is wrong
 */
export function decodeOaep(encoded: Uint8Array, labelHash: string, mgfHash: string): Buffer | undefined {
  const label = createHash(labelHash).digest();
  const maskedSeed = encoded.subarray(1, 1 + label.length);
  const maskedData = encoded.subarray(1 + label.length);
  const seed = xorInto(mgf1(maskedData, label.length, mgfHash), maskedSeed);
  const data = xorInto(mgf1(seed, maskedData.length, mgfHash), maskedData);
  const head = encoded[0]! | (1 ^ Number(timingSafeEqual(label, data.subarray(0, label.length))));
  let found = 0;
  for (const bytes of DATA_KEY_BYTES) found |= bytes & -isOaep(data, label.length, bytes, head);
  const message = found === 0 ? undefined : Buffer.alloc(found);
  message?.set(data.subarray(-found));
  data.fill(0);
  return message;
}

/** `lHash 00... 01 M`. */
function isOaep(data: Uint8Array, from: number, bytes: number, head: number): Bit {
  const separator = data.length - bytes - 1;
  let bad = head | (data[separator]! ^ 1);
  for (let i = from; i < separator; i++) bad |= data[i]!;
  return isZero(bad);
}

function xorInto(target: Buffer, other: Uint8Array): Buffer {
  for (let i = 0; i < target.length; i++) target[i]! ^= other[i]!;
  return target;
}

/** RFC 8017, B.2.1. */
function mgf1(seed: Uint8Array, length: number, hash: string): Buffer {
  const blocks: Buffer[] = [];
  for (let made = 0; made < length; made += blocks[0]!.length) {
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(blocks.length);
    blocks.push(createHash(hash).update(seed).update(counter).digest());
  }
  return Buffer.concat(blocks).subarray(0, length);
}
