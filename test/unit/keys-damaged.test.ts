/** Key material that is damaged or contradicts itself: what each is told, and that nothing of a key is in it. */
import { describe, expect, test } from '@jest/globals';
import { generateKeyPairSync, type JsonWebKey, type KeyObject } from 'node:crypto';
import { isSealdropError } from '../../src/errors.js';
import { readForeignKeys } from '../../src/keys/import-key.js';
import { readManagedSet } from '../../src/keys/managed-set.js';
import { readPublicKeySet } from '../../src/keys/key-set.js';
import { fingerprintOf, isLocked } from '../../src/keys/public-key.js';
import { Secret } from '../../src/secret.js';
import { privatePem, publicPem, rsaPair } from '../helpers/keys.js';

const pair = rsaPair();
const other = rsaPair();
const publicKey = publicPem(pair);
const privateKey = privatePem(pair);
const PASSPHRASE = 'correct horse';
const locked = pair.privateKey
  .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: PASSPHRASE })
  .toString();
const lockedDer = pair.privateKey.export({
  type: 'pkcs8',
  format: 'der',
  cipher: 'aes-256-cbc',
  passphrase: PASSPHRASE,
});
const secretKey = Buffer.alloc(32, 0x5a).toString('base64');
const jwk = pair.privateKey.export({ format: 'jwk' });
const publicJwk = pair.publicKey.export({ format: 'jwk' });
const weak = rsaPair(1024);
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ARN = 'arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';

const otherLocked = other.privateKey
  .export({ type: 'pkcs1', format: 'pem', cipher: 'aes-256-cbc', passphrase: PASSPHRASE })
  .toString();
const aes = Buffer.from(Array.from({ length: 32 }, (_, i) => (i * 37 + 11) % 256));
const aesEntry = { namespace: 'ns', name: 'one', secretKey: aes.toString('base64') };
/** The letters of a private half, a line apart from what the public half has too. */
const body = privateKey.split('\n').slice(8, -3).join('');

const entry = { namespace: 'ns', name: 'one', publicKey };
const whole = { ...entry, privateKey };
const json = (document: unknown) => Buffer.from(JSON.stringify(document));
const set = (...keys: unknown[]) => json({ version: 1, keys });
const without = (key: JsonWebKey, member: keyof JsonWebKey) => {
  const { [member]: _left, ...rest } = key;
  return json(rest);
};
const spki = (key: KeyObject) => Buffer.from(key.export({ type: 'spki', format: 'pem' }));

/** A number in DER that is found by what it is, and replaced by another of as many bytes. */
function withBytes(der: Buffer, found: Buffer, put: Buffer): Buffer {
  const at = der.indexOf(found);
  if (at < 0) throw new Error('it is not there');
  return Buffer.concat([der.subarray(0, at), put, der.subarray(at + found.length)]);
}

/** PBKDF2's 2048 iterations, as a number of four bytes: the lengths around it are two greater. */
function dearlyLocked(): Buffer {
  const der = Buffer.from(lockedDer);
  const at = der.indexOf(Buffer.from([0x02, 0x02, 0x08, 0x00]));
  const grown = Buffer.concat([
    der.subarray(0, at),
    Buffer.from([0x02, 0x04, 0x7f, 0xff, 0xff, 0xff]),
    der.subarray(at + 4),
  ]);
  // SEQUENCE (EncryptedPrivateKeyInfo), its algorithm, PBES2's parameters, PBKDF2's algorithm and parameters.
  grown.writeUInt16BE(grown.readUInt16BE(2) + 2, 2);
  for (let i = 4; i < at; i++)
    if (grown[i] === 0x30 && i + 2 + grown[i + 1]! >= at && grown[i + 1]! < 0x80) grown[i + 1]! += 2;
  return grown;
}

/** The outer sequence with its length as BER allows it, in PEM. */
function inBer(der: Buffer, form: number[], end: number[]): Buffer {
  const content = der.subarray(4);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length);
  const long = form[0] === 0x80 ? [] : [length];
  const whole = Buffer.concat([Buffer.from([0x30, ...form]), ...long, content, Buffer.from(end)]);
  const text = whole.toString('base64').replace(/.{64}/g, '$&\n');
  return Buffer.from(`-----BEGIN ENCRYPTED PRIVATE KEY-----\n${text}\n-----END ENCRYPTED PRIVATE KEY-----\n`);
}

type Case = [code: string, message: string, bytes: Buffer];

const INVALID = 'invalid_key';

/** Read as `keys list` and what opens with a set read it. */
const SETS: Record<string, Case> = {
  'JSON that breaks off': [
    INVALID,
    'SET is neither a key nor a key set: the JSON is damaged',
    set(whole).subarray(0, -4),
  ],
  'no version': [INVALID, 'SET: version must be 1', json({ keys: [whole] })],
  'another version': [INVALID, 'SET: version must be 1', json({ version: 2, keys: [whole] })],
  'an unknown field beside keys': [
    INVALID,
    'SET: comment is no field of a key set',
    json({ version: 1, comment: 'x', keys: [whole] }),
  ],
  'no list of keys': [
    INVALID,
    'SET: keys must be a list with a key in it',
    json({ version: 1, keys: { one: whole } }),
  ],
  'an empty list of keys': [INVALID, 'SET: keys must be a list with a key in it', set()],
  'more keys than anybody has': [
    INVALID,
    'SET: keys has more than 1000 entries',
    set(...Array.from({ length: 1001 }, (_, i) => ({ ...entry, name: `k${i}` }))),
  ],
  'an entry that is a list': [INVALID, 'SET: keys[0] must be an object', set([whole])],
  'an entry that is null': [INVALID, 'SET: keys[1] must be an object', set(whole, null)],
  'a misspelt field': [
    INVALID,
    'SET: keys[0].privatekey is no field of a key set',
    set({ ...entry, privatekey: privateKey }),
  ],
  'a key as the name of a field': [
    INVALID,
    'SET: keys[0].(a name that is not shown) is no field of a key set',
    set({ ...entry, [privateKey]: 1 }),
  ],
  'a field twice': [
    INVALID,
    'SET: state is there twice',
    Buffer.from(
      set({ ...entry, state: 'retired' })
        .toString()
        .replace('"state"', '"state":"active","state"'),
    ),
  ],
  'no namespace': [INVALID, 'SET: keys[0].namespace is missing', set({ name: 'one', publicKey })],
  'no name': [INVALID, 'SET: keys[0].name is missing', set({ namespace: 'ns', publicKey })],
  'an empty name': [INVALID, 'SET: keys[0].name must be a non-empty string', set({ ...entry, name: '' })],
  'a name that is a number': [
    INVALID,
    'SET: keys[0].name must be a non-empty string',
    set({ ...entry, name: 7 }),
  ],
  'a name with half a character': [
    INVALID,
    'SET: keys[0].name is not valid Unicode',
    set({ ...entry, name: '\ud800' }),
  ],
  'a name without end': [
    INVALID,
    'SET: keys[0].name is longer than 2048 bytes',
    set({ ...entry, name: 'x'.repeat(3000) }),
  ],
  'the same names twice': [
    INVALID,
    'SET: the key ns/one is there twice',
    set(entry, { ...entry, publicKey: publicPem(other) }),
  ],
  'the same active key twice': [
    INVALID,
    'SET: one and two are one and the same active key',
    set(entry, { ...entry, name: 'two' }),
  ],
  'an unknown state': [
    INVALID,
    'SET: keys[0].state must be "active" or "retired"',
    set({ ...entry, state: 'Active' }),
  ],
  'always as a word': [
    INVALID,
    'SET: keys[0].always must be true or false',
    set({ ...entry, always: 'yes' }),
  ],
  'a retired key that is always encrypted to': [
    INVALID,
    'SET: keys[1].always cannot be true of a retired key',
    set(entry, { ...entry, name: 'two', state: 'retired', always: true }),
  ],
  'a time that is none': [
    INVALID,
    'SET: keys[0].created must be a time as 2026-11-21T09:30:00Z, or a date',
    set({ ...entry, created: 'yesterday' }),
  ],
  'a day that the month has not': [
    INVALID,
    'SET: keys[0].created must be a time as 2026-11-21T09:30:00Z, or a date',
    set({ ...entry, created: '2026-02-30' }),
  ],
  'no half at all': [INVALID, 'SET: keys[0].publicKey is missing', set({ namespace: 'ns', name: 'one' })],
  'RSA and AES in one': [
    INVALID,
    'SET: keys[0].secretKey stands beside publicKey: a key is AES or RSA',
    set({ ...entry, secretKey }),
  ],
  'a private half and AES in one': [
    INVALID,
    'SET: keys[0].secretKey stands beside privateKey: a key is AES or RSA',
    set({ namespace: 'ns', name: 'one', privateKey, secretKey }),
  ],
  'an AES key of 31 bytes': [
    INVALID,
    'SET: keys[0].secretKey has 31 bytes, an AES key has 16, 24 or 32',
    set({ namespace: 'ns', name: 'one', secretKey: Buffer.alloc(31, 1).toString('base64') }),
  ],
  'an AES key in base64url': [
    INVALID,
    'SET: keys[0].secretKey is not base64',
    set({ namespace: 'ns', name: 'one', secretKey: Buffer.alloc(32, 0xff).toString('base64url') }),
  ],
  'halves of two pairs': [
    INVALID,
    'SET: keys[0].publicKey is not the public half of its privateKey',
    set({ ...whole, publicKey: publicPem(other) }),
  ],
  'a private half where the public one belongs': [
    'private_key_in_public_key_set',
    'SET: keys[0].publicKey holds a private key, a public one belongs there',
    set({ ...whole, publicKey: privateKey }),
  ],
  'a public half where the private one belongs': [
    INVALID,
    'SET: keys[0].privateKey is a public key, the private one is needed',
    set({ ...whole, privateKey: publicKey }),
  ],
  'a damaged public half': [
    INVALID,
    'SET: keys[0].publicKey is damaged or no public key',
    set({ ...entry, publicKey: publicKey.slice(0, 200) }),
  ],
  'a damaged private half': [
    INVALID,
    'SET: keys[0].privateKey is damaged or no private key',
    set({ ...whole, privateKey: privateKey.slice(0, 300) }),
  ],
  'a locked private half without its public one': [
    INVALID,
    'SET: keys[0].publicKey is missing, and its privateKey is locked',
    set({ namespace: 'ns', name: 'one', privateKey: locked }),
  ],
  'a private half of another pair that a comment calls locked': [
    INVALID,
    'SET: keys[0].privateKey must be one key in PEM, and nothing else',
    set({ ...entry, privateKey: `Proc-Type: 4,ENCRYPTED\n${privatePem(other)}` }),
  ],
  'a locked private half behind one that is not': [
    INVALID,
    'SET: keys[0].privateKey must be one key in PEM, and nothing else',
    set({ ...entry, privateKey: privatePem(other) + locked }),
  ],
  'text behind a private half': [
    INVALID,
    'SET: keys[0].privateKey must be one key in PEM, and nothing else',
    set({ ...whole, privateKey: `${privateKey}Proc-Type: 4,ENCRYPTED` }),
  ],
  'another end than beginning': [
    INVALID,
    'SET: keys[0].privateKey must be one key in PEM, and nothing else',
    set({ ...whole, privateKey: privateKey.replace('END PRIVATE', 'END RSA PRIVATE') }),
  ],
  'two public halves': [
    INVALID,
    'SET: keys[1].publicKey must be one key in PEM, and nothing else',
    set(entry, { namespace: 'ns', name: 'two', publicKey: publicPem(other) + publicKey }),
  ],
  'a private half that is no PEM': [
    INVALID,
    'SET: keys[0].privateKey must be one key in PEM, and nothing else',
    set({ ...entry, privateKey: 'Proc-Type: 4,ENCRYPTED' }),
  ],
  ...Object.fromEntries(
    Object.entries({
      base64: aes.toString('base64'),
      base64url: aes.toString('base64url'),
      hex: aes.toString('hex'),
      'hex, in pairs': aes.toString('hex').toUpperCase().match(/../g)!.join(':'),
      'a piece of base64': `my key ${aes.toString('base64').slice(5, 21)}`,
    }).map(([form, name]): [string, Case] => [
      `an AES key as its own name: ${form}`,
      [INVALID, 'SET: keys[0].name has letters of a key in it', set({ ...aesEntry, name })],
    ]),
  ),
  'an AES key as the namespace of another key': [
    INVALID,
    'SET: keys[0].namespace has letters of a key in it',
    set({ ...entry, namespace: aesEntry.secretKey }, { ...aesEntry, name: 'two' }),
  ],
  'a line of a private half as its name': [
    INVALID,
    'SET: keys[0].name has letters of a key in it',
    set({ ...whole, name: body.slice(100, 164) }),
  ],
  'a weak key': [
    'weak_key',
    'SET: keys[0].publicKey is an RSA key of 1024 bits, at least 2048 are needed',
    set({ ...entry, publicKey: publicPem(weak) }),
  ],
  'a key of an elliptic curve': [
    INVALID,
    'SET: keys[0].publicKey is a key of type ec, RSA is needed',
    set({ ...entry, publicKey: spki(ec.publicKey).toString() }),
  ],
  'a key of KMS with a half': [
    INVALID,
    'SET: keys[0].privateKey does not belong to a key of AWS KMS, which keeps its own',
    set({ namespace: 'aws-kms', name: ARN, privateKey }),
  ],
  'a key of KMS by its alias alone': [
    INVALID,
    'SET: keys[0].name must be the ARN of a key or an alias of AWS KMS',
    set({ namespace: 'aws-kms', name: 'alias/lab' }),
  ],
};

/** Read as `keys import` reads them, with a passphrase at hand. */
const FILES: Record<string, Case> = {
  'an empty file': [INVALID, 'FILE is empty', Buffer.alloc(0)],
  'a PEM that breaks off': [
    INVALID,
    'FILE is damaged or no private key',
    Buffer.from(privateKey.slice(0, 400)),
  ],
  'a PEM of noise': [
    INVALID,
    'FILE is damaged or no public key',
    Buffer.from('-----BEGIN PUBLIC KEY-----\nbm9pc2U=\n-----END PUBLIC KEY-----\n'),
  ],
  'two PEMs of which one is damaged': [
    INVALID,
    'FILE, part 2 is damaged or no private key',
    Buffer.from(`${publicKey}${privateKey.slice(0, 300)}\n-----END PRIVATE KEY-----\n`),
  ],
  'a DER that breaks off': [
    INVALID,
    'FILE is damaged or no private key',
    Buffer.from(pair.privateKey.export({ type: 'pkcs8', format: 'der' })).subarray(0, -50),
  ],
  'a private half of which one number was altered': [
    INVALID,
    'FILE is damaged: the numbers of its private half do not fit together',
    // OpenSSL finds a way around it; other programs do not.
    withBytes(
      Buffer.from(pair.privateKey.export({ type: 'pkcs1', format: 'der' })),
      Buffer.from(jwk.dp!, 'base64url').subarray(-16),
      Buffer.alloc(16, 0x55),
    ),
  ],
  'another passphrase': [
    'key_passphrase',
    'the passphrase does not open FILE',
    Buffer.from(
      other.privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }),
    ),
  ],
  'a locked key that would take days to try': [
    INVALID,
    'FILE asks for more work to unlock it than any key does',
    dearlyLocked(),
  ],
  'a locked key whose lengths are longer than DER writes them': [
    INVALID,
    'FILE is damaged: it is not in DER',
    inBer(dearlyLocked(), [0x85, 0], []),
  ],
  'a locked key without lengths': [
    INVALID,
    'FILE is damaged: it is not in DER',
    inBer(dearlyLocked(), [0x80], [0, 0]),
  ],
  '32 bytes of an AES key': [INVALID, 'FILE is no key in PEM, DER or JWK', Buffer.alloc(32, 7)],
  'JSON that is neither': [
    INVALID,
    'FILE is JSON, but neither a JWK (kty is missing) nor a key set (version is missing)',
    json({ hello: 'world' }),
  ],
  'a damaged JWK': [
    INVALID,
    'FILE is neither a key nor a key set: the JSON is damaged',
    json(jwk).subarray(0, -1),
  ],
  'a JWK with a member twice': [
    INVALID,
    'FILE: e is there twice',
    Buffer.from(json(publicJwk).toString().replace('"e"', '"e":"AQAB","e"')),
  ],
  'a JWK of an elliptic curve': [
    INVALID,
    'FILE: kty must be RSA, or oct for an AES key',
    json(ec.publicKey.export({ format: 'jwk' })),
  ],
  'a JWK without its modulus': [INVALID, 'FILE: n is missing', without(publicJwk, 'n')],
  'a JWK without its exponent': [INVALID, 'FILE: e is missing', without(publicJwk, 'e')],
  'a JWK whose modulus is a number': [
    INVALID,
    'FILE: n must be a non-empty string',
    json({ ...publicJwk, n: 7 }),
  ],
  'a JWK whose modulus is no base64url': [
    INVALID,
    'FILE: n is not base64url',
    json({ ...publicJwk, n: `${publicJwk.n}==` }),
  ],
  'a JWK whose exponent is 1': [
    'weak_key',
    'FILE is an RSA key with a public exponent that protects nothing',
    json({ ...publicJwk, e: 'AQ' }),
  ],
  'a JWK whose exponent is even': [
    'weak_key',
    'FILE is an RSA key with a public exponent that protects nothing',
    json({ ...publicJwk, e: 'AQAA' }),
  ],
  ...Object.fromEntries(
    (['p', 'q', 'dp', 'dq', 'qi', 'd'] as const).map((member): [string, Case] => [
      `a private JWK without ${member}`,
      [INVALID, `FILE: ${member} is missing`, without(jwk, member)],
    ]),
  ),
  'a JWK with another modulus': [
    INVALID,
    'FILE is damaged: the numbers of its private half do not fit together',
    json({ ...jwk, n: other.publicKey.export({ format: 'jwk' }).n }),
  ],
  'a JWK of more than two primes': [
    INVALID,
    'FILE: oth is there: keys of more than two primes are not read',
    json({ ...jwk, oth: [] }),
  ],
  'a JWK for signatures': [
    INVALID,
    'FILE: use says that the key is not for encrypting',
    json({ ...publicJwk, use: 'sig' }),
  ],
  'a JWK for RS256': [
    INVALID,
    'FILE: alg is that of another use than RSA-OAEP or AES',
    json({ ...publicJwk, alg: 'RS256' }),
  ],
  'a JWK that only verifies': [
    INVALID,
    'FILE: key_ops says that the key is not for encrypting',
    json({ ...publicJwk, key_ops: ['verify'] }),
  ],
  'an AES key of 20 bytes as JWK': [
    INVALID,
    'FILE: k has 20 bytes, an AES key has 16, 24 or 32',
    json({ kty: 'oct', k: Buffer.alloc(20, 3).toString('base64url') }),
  ],
  'a set of JWKs with none in it': [INVALID, 'FILE: keys is empty', json({ keys: [] })],
  'a set of JWKs of which one is damaged': [
    INVALID,
    'FILE: keys[1]: n is missing',
    json({ keys: [publicJwk, { kty: 'RSA', e: 'AQAB' }] }),
  ],
};

/** What has to stay unseen: 12 characters of it, in any form, would be found. */
const PRIVATE = [
  privateKey,
  locked,
  secretKey,
  aesEntry.secretKey,
  aes.toString('hex'),
  ...Object.values(jwk).map(String),
]
  .flatMap((text) => text.replace(/-----[A-Z ]+-----/g, '').match(/[\w+/=-]{12}/g) ?? [])
  .filter((piece) => !publicKey.includes(piece) && !JSON.stringify(publicJwk).includes(piece));

async function refusal(work: () => Promise<unknown>): Promise<{ code: string; message: string }> {
  const error: unknown = await work().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isSealdropError(error)) throw new Error(`not refused: ${String(error)}`);
  const { code, message, hint, stack, cause } = error;
  expect(message).not.toMatch(/[\r\n]/);
  const said = `${message} ${hint} ${stack} ${JSON.stringify(error)} ${String(cause)}`;
  expect(PRIVATE.filter((piece) => said.includes(piece))).toEqual([]);
  return { code, message };
}

const ask = () => Promise.resolve(new Secret(PASSPHRASE));

describe('a key set with', () => {
  test.each(Object.keys(SETS))('%s', async (which) => {
    const [code, message, bytes] = SETS[which]!;
    expect(await refusal(() => readManagedSet(bytes, 'SET', ask))).toEqual({ code, message });
  });
});

describe('a file with', () => {
  test.each(Object.keys(FILES))('%s', async (which) => {
    const [code, message, bytes] = FILES[which]!;
    expect(await refusal(() => readForeignKeys(bytes, 'FILE', { passphrase: ask }))).toEqual({
      code,
      message,
    });
  });

  test('an AES key of another length, where one is said to be', async () => {
    const bytes = Buffer.alloc(33, 1);
    expect(await refusal(() => readForeignKeys(bytes, 'FILE', { aes: true }))).toEqual({
      code: INVALID,
      message: 'FILE has 33 bytes, an AES key has 16, 24 or 32',
    });
  });
});

test('these are more than forty, and the undamaged ones are taken', async () => {
  expect(Object.keys(SETS).length + Object.keys(FILES).length).toBeGreaterThan(40);
  expect((await readManagedSet(set(whole), 'SET')).entries).toHaveLength(1);
  for (const bytes of [publicKey, privateKey, locked].map((text) => Buffer.from(text)))
    expect(await readForeignKeys(bytes, 'FILE', { passphrase: ask })).toHaveLength(1);
  for (const key of [jwk, publicJwk]) expect(await readForeignKeys(json(key), 'FILE')).toHaveLength(1);
  // As editors and other programs leave them.
  const crlf = { publicKey: `\n${publicKey.replaceAll('\n', '\r\n')} `, privateKey: privateKey.trimEnd() };
  expect((await readManagedSet(set({ ...entry, ...crlf }), 'SET')).entries).toHaveLength(1);
  for (const name of [
    'S3RSAKey-2026-11-21-12',
    fingerprintOf(pair.publicKey),
    aes.toString('hex').slice(0, 15),
  ])
    expect((await readManagedSet(set({ ...whole, name }, aesEntry), 'SET')).entries).toHaveLength(2);
});

test('a private half is locked that says so at its beginning, and is compared by who has the passphrase', async () => {
  for (const privateKey of [otherLocked, otherLocked.replaceAll('\n', '\r\n')]) {
    const bytes = set({ ...entry, publicKey: publicPem(other), privateKey });
    expect((await readManagedSet(bytes, 'SET')).entries).toHaveLength(1);
    expect([isLocked(privateKey), isLocked(bytes.toString())]).toEqual([true, true]);
    expect(await readForeignKeys(bytes, 'SET', { passphrase: ask })).toHaveLength(1);
  }
  const wrong = await refusal(() =>
    readForeignKeys(set({ ...entry, privateKey: otherLocked }), 'SET', { passphrase: ask }),
  );
  expect(wrong.message).toBe('SET: keys[0].publicKey is not the public half of its privateKey');
});

test('a JWK is not called by what is its key, or a piece of it', async () => {
  const k = aes.toString('base64url');
  const names = [k, aes.toString('hex'), k.slice(0, 30), `x${aes.toString('base64').slice(20, 40)}`];
  for (const kid of names)
    expect(await readForeignKeys(json({ kty: 'oct', kid, k }), 'FILE')).toEqual([{ secretKey: aes }]);
  for (const kid of [
    jwk.d!,
    jwk.p!.slice(7, 30),
    Buffer.from(jwk.q!, 'base64url').toString('hex').slice(9, 40),
  ])
    expect((await readForeignKeys(json({ ...jwk, kid }), 'FILE'))[0]).not.toHaveProperty('name');
  expect((await readForeignKeys(json({ ...jwk, kid: 'lab-2026-11-21-key' }), 'FILE'))[0]!.name).toBe(
    'lab-2026-11-21-key',
  );
});

describe('a public key set', () => {
  test('may name the same key twice where one entry is retired: older objects have the other name', () => {
    const keys = readPublicKeySet(set(entry, { ...entry, name: 'old', state: 'retired' }), 'SET');
    expect(keys.map(({ name }) => name)).toEqual(['one']);
  });

  test('with the same key active under two names is refused', () => {
    expect(() => readPublicKeySet(set(entry, { ...entry, name: 'two' }), 'SET')).toThrow(
      'SET: one and two are one and the same active key',
    );
  });

  test('names a private half before all else that is wrong', () => {
    const bad = set({ ...whole, created: 'x' }, { ...whole, created: 'x' });
    expect(() => readPublicKeySet(bad, 'SET')).toThrow(
      expect.objectContaining({ code: 'private_key_in_public_key_set' }),
    );
  });
});
