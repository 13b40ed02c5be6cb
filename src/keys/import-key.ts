/** Keys as other programs write them: PEM (several in a file too), DER, JWK, JWK sets, raw AES keys, and key sets. */
import {
  constants,
  createPublicKey,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
  type KeyObject,
} from 'node:crypto';
import { SealdropError } from '../errors.js';
import type { AskPassphrase } from '../key-sets.js';
import type { Secret } from '../secret.js';
import type { ForeignKey } from './foreign-key.js';
import { readJwks } from './jwk.js';
import { kindOf, parseKeySet, type KeySetEntry } from './key-set-document.js';
import { readPrivateHalf } from './private-key-set.js';
import { readPrivateKey } from './private-key.js';
import { fingerprintOf, isLocked, isPrivate, readPublicKey } from './public-key.js';

export interface ForeignOptions {
  readonly passphrase?: AskPassphrase;
  /** The bytes are an AES key. */
  readonly aes?: boolean;
}

/**
 * Private halves are tried: one that does not open what its public half encrypts is refused.
 * @throws SealdropError `invalid_key`, `weak_key`, `key_passphrase`
 */
export async function readForeignKeys(
  bytes: Buffer,
  where: string,
  options: ForeignOptions = {},
): Promise<ForeignKey[]> {
  const ask = askOnce(options.passphrase);
  const keys = options.aes === true ? [rawAes(bytes, where)] : await readAny(bytes, where, ask);
  for (const key of keys) assertOpens(key, where);
  return keys;
}

/** The keys of a file are locked by one passphrase. */
function askOnce(passphrase: AskPassphrase | undefined): AskPassphrase {
  let answer: Promise<Secret | undefined> | undefined;
  return (what) => (answer ??= passphrase?.(what) ?? Promise.resolve(undefined));
}

async function readAny(bytes: Buffer, where: string, ask: AskPassphrase): Promise<ForeignKey[]> {
  const text = bytes.toString('latin1').replace(/^\xef\xbb\xbf/, '');
  if (text.trimStart().startsWith('{'))
    return readJwks(bytes, where) ?? (await readSet(bytes, where, ask)) ?? [];
  if (text.includes('-----BEGIN ')) return readPems(text, where, ask);
  assertNotRaw(bytes, where);
  return [await readOne(bytes, where, ask)];
}

async function readSet(bytes: Buffer, where: string, ask: AskPassphrase): Promise<ForeignKey[] | undefined> {
  const entries = parseKeySet(bytes, where);
  const keys: ForeignKey[] = [];
  for (const [i, entry] of (entries ?? []).entries())
    keys.push(await readEntry(entry, `${where}: keys[${i}]`, ask));
  return entries && keys;
}

async function readEntry(entry: KeySetEntry, field: string, ask: AskPassphrase): Promise<ForeignKey> {
  const shared = { entry, name: entry.name };
  if (kindOf(entry) === 'kms') return { ...shared, kmsArn: entry.name };
  if (entry.secretKey !== undefined) return { ...shared, secretKey: Buffer.from(entry.secretKey, 'base64') };
  if (entry.privateKey === undefined)
    return { ...shared, publicKey: readPublicKey(Buffer.from(entry.publicKey!), `${field}.publicKey`) };
  const passphrase = isLocked(entry.privateKey) ? await ask(`${field}.privateKey`) : undefined;
  return { ...shared, ...ofPrivate(readPrivateHalf(entry, field, passphrase), passphrase) };
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[^]*?-----END \1-----/g;
const NOT_FOR_WRAPPING = /PARAMETERS|REQUEST|CRL|PKCS7/;

/** Halves of one key become one. */
async function readPems(text: string, where: string, ask: AskPassphrase): Promise<ForeignKey[]> {
  const blocks = [...text.matchAll(BLOCK)].filter(([, label]) => !NOT_FOR_WRAPPING.test(label!));
  // One that has no end, or whose end is another's: what reads keys says what is wrong.
  if (blocks.length === 0 || blocks.length !== (text.match(/-----BEGIN /g) ?? []).length)
    return [await readOne(Buffer.from(text, 'latin1'), where, ask)];
  const byFingerprint = new Map<string, ForeignKey>();
  for (const [i, [block]] of blocks.entries()) {
    const place = blocks.length === 1 ? where : `${where}, part ${i + 1}`;
    const key = await readOne(Buffer.from(block, 'latin1'), place, ask);
    const id = fingerprintOf(key.publicKey!);
    byFingerprint.set(id, { ...byFingerprint.get(id), ...key });
  }
  return [...byFingerprint.values()];
}

async function readOne(bytes: Buffer, where: string, ask: AskPassphrase): Promise<ForeignKey> {
  const text = bytes.toString('latin1');
  if (!isPrivate(text) && !isLocked(text)) return { publicKey: readPublicKey(bytes, where) };
  const passphrase = isLocked(text) ? await ask(where) : undefined;
  return ofPrivate(readPrivateKey(bytes, where, passphrase), passphrase);
}

const ofPrivate = (privateKey: KeyObject, passphrase: Secret | undefined): ForeignKey => ({
  privateKey,
  publicKey: createPublicKey(privateKey),
  ...(passphrase !== undefined && { passphrase }),
});

const AES_BYTES = [16, 24, 32];

function rawAes(bytes: Buffer, where: string): ForeignKey {
  if (AES_BYTES.includes(bytes.length)) return { secretKey: bytes };
  throw new SealdropError('invalid_key', `${where} has ${bytes.length} bytes, an AES key has 16, 24 or 32`, {
    hint: 'one that is written as base64 is decoded first: base64 -d < FILE > KEY',
  });
}

function assertNotRaw(bytes: Buffer, where: string): void {
  if (!AES_BYTES.includes(bytes.length)) return;
  throw new SealdropError('invalid_key', `${where} is no key in PEM, DER or JWK`, {
    hint: `it has ${bytes.length} bytes: if those are an AES key, say --aes`,
  });
}

/** A file that was damaged can still be read as a key, which opens nothing, or only with some programs. */
function assertOpens({ publicKey, privateKey }: ForeignKey, where: string): void {
  if (publicKey === undefined || privateKey === undefined) return;
  if (fits(privateKey) && opens(publicKey, privateKey)) return;
  throw new SealdropError(
    'invalid_key',
    `${where} is damaged: the numbers of its private half do not fit together`,
    {
      hint: 'take another copy of the file',
    },
  );
}

/** RFC 8017, 3.2: what the numbers of a private key are to each other. */
function fits(privateKey: KeyObject): boolean {
  const jwk = privateKey.export({ format: 'jwk' });
  const number = (member: 'n' | 'e' | 'd' | 'p' | 'q' | 'dp' | 'dq' | 'qi') =>
    BigInt(`0x${Buffer.from(jwk[member] ?? '', 'base64url').toString('hex') || '0'}`);
  const [n, e, d, p, q] = [number('n'), number('e'), number('d'), number('p'), number('q')];
  if (p < 3n || q < 3n || p * q !== n) return false;
  const exponents = [
    [p - 1n, number('dp')],
    [q - 1n, number('dq')],
  ] as const;
  return (
    exponents.every(([order, own]) => (e * d) % order === 1n && d % order === own) &&
    (number('qi') * q) % p === 1n
  );
}

function opens(publicKey: KeyObject, privateKey: KeyObject): boolean {
  const secret = randomBytes(32);
  const padding = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' };
  try {
    const wrapped = publicEncrypt({ key: publicKey, ...padding }, secret);
    return privateDecrypt({ key: privateKey, ...padding }, wrapped).equals(secret);
  } catch {
    return false;
  }
}
