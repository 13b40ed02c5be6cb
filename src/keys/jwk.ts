/** JSON Web Keys (RFC 7517; RFC 7518, section 6): RSA keys and `oct`, one or a set of them. */
import { createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { SealdropError } from '../errors.js';
import type { ForeignKey } from './foreign-key.js';
import { nameWithKey } from './key-in-name.js';
import { assertRsa, fingerprintOf } from './public-key.js';
import { withSecondTry } from './second-try.js';
import { repeatedMember } from './repeated-member.js';
import { shownMember } from './shown-member.js';

type Members = Record<string, unknown>;

/** The private members of an RSA key; Node takes all or none. */
const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi'] as const;
const AES_BYTES = [16, 24, 32];
/** Signatures, and the padding of PKCS#1 v1.5, which is open to attacks. */
const OTHER_ALGORITHMS = /^(RS|PS|ES|HS|EdDSA|RSA1_5)/;

/** Undefined where it is another kind of document. @throws SealdropError `invalid_key`, `weak_key` */
export function readJwks(bytes: Buffer, where: string): ForeignKey[] | undefined {
  const text = bytes.toString('utf8').replace(/^\ufeff/, '');
  let document: Members;
  try {
    document = JSON.parse(text) as Members;
  } catch {
    throw invalid(`${where} is neither a key nor a key set: the JSON is damaged`);
  }
  const { version, keys } = document;
  if (version !== undefined) return undefined;
  if (!('kty' in document) && !Array.isArray(keys))
    throw invalid(`${where} is JSON, but neither a JWK (kty is missing) nor a key set (version is missing)`);
  const repeated = repeatedMember(text);
  if (repeated !== undefined) throw invalid(`${where}: ${shownMember(repeated, [])} is there twice`);
  if ('kty' in document) return [readJwk(document, where)];
  if ((keys as unknown[]).length === 0) throw invalid(`${where}: keys is empty`);
  return (keys as unknown[]).map((key, i) => readJwk(key, `${where}: keys[${i}]`));
}

function readJwk(value: unknown, where: string): ForeignKey {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(`${where} must be an object`);
  const jwk = value as Members;
  assertForEncrypting(jwk, where);
  const name = nameOf(jwk);
  const named = name === undefined ? {} : { name };
  if (jwk.kty === 'oct') return { ...named, secretKey: readOct(jwk, where) };
  if (jwk.kty === 'RSA') return { ...named, ...readRsa(jwk, where) };
  throw invalid(`${where}: kty must be RSA, or oct for an AES key`);
}

function nameOf(jwk: Members): string | undefined {
  const { kid } = jwk;
  if (typeof kid !== 'string' || kid === '' || !kid.isWellFormed()) return undefined;
  const secrets = [...PRIVATE, 'k'].map((member) => jwk[member]).filter((value) => typeof value === 'string');
  const keys = secrets.map((value) => Buffer.from(value, 'base64url'));
  return nameWithKey([kid], keys) < 0 ? kid : undefined;
}

function assertForEncrypting({ use, alg, key_ops: operations }: Members, where: string): void {
  if (use !== undefined && use !== 'enc')
    throw invalid(`${where}: use says that the key is not for encrypting`);
  if (typeof alg === 'string' && OTHER_ALGORITHMS.test(alg))
    throw invalid(`${where}: alg is that of another use than RSA-OAEP or AES`);
  if (operations === undefined) return;
  const list: unknown[] = Array.isArray(operations) ? operations : [];
  if (list.length === 0 || list.includes('sign') || list.includes('verify'))
    throw invalid(`${where}: key_ops says that the key is not for encrypting`);
}

function readOct(jwk: Members, where: string): Buffer {
  const key = base64url(jwk, 'k', where);
  if (AES_BYTES.includes(key.length)) return key;
  throw invalid(`${where}: k has ${key.length} bytes, an AES key has 16, 24 or 32`);
}

function readRsa(jwk: Members, where: string): { publicKey: KeyObject; privateKey?: KeyObject } {
  const [n, e] = (['n', 'e'] as const).map((member) => text(jwk, member, where));
  if (jwk.oth !== undefined)
    throw invalid(`${where}: oth is there: keys of more than two primes are not read`);
  const publicKey = assertRsa(
    made(() => createPublicKey(of({ kty: 'RSA', n: n!, e: e! })), where),
    where,
  );
  if (PRIVATE.every((member) => jwk[member] === undefined)) return { publicKey };
  const numbers = Object.fromEntries(PRIVATE.map((member) => [member, text(jwk, member, where)]));
  const whole = of({ kty: 'RSA', n: n!, e: e!, ...numbers });
  const privateKey = assertRsa(
    made(() => createPrivateKey(whole), where),
    where,
  );
  if (fingerprintOf(createPublicKey(privateKey)) !== fingerprintOf(publicKey))
    throw invalid(`${where}: n and e are not those of the private members`);
  return { publicKey, privateKey };
}

const of = (key: JsonWebKey) => ({ key, format: 'jwk' as const });

function made(make: () => KeyObject, where: string): KeyObject {
  try {
    return withSecondTry(make);
  } catch {
    throw invalid(`${where} is no RSA key: its numbers make no sense`);
  }
}

function text(jwk: Members, member: string, where: string): string {
  base64url(jwk, member, where);
  return jwk[member] as string;
}

function base64url(jwk: Members, member: string, where: string): Buffer {
  const value = jwk[member];
  if (value === undefined) throw invalid(`${where}: ${member} is missing`);
  if (typeof value !== 'string' || value === '')
    throw invalid(`${where}: ${member} must be a non-empty string`);
  const bytes = Buffer.from(value, 'base64url');
  // What Node passes over in silence would be another key.
  if (bytes.toString('base64url') !== value) throw invalid(`${where}: ${member} is not base64url`);
  return bytes;
}

function invalid(message: string): SealdropError {
  return new SealdropError('invalid_key', message);
}
