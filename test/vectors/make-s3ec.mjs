/**
 * Makes the vectors of s3ec objects anew: node test/vectors/make-s3ec.mjs
 *
 * Every expectation here was written down from the specification and docs/errors.md, none was taken from a run, and no
 * writer of ours has a part in them: headers are written out, and Node's own AES and HKDF seal the content. Each run makes
 * other bytes with the same names and expectations.
 */
import { createCipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';

const PLAINTEXT = Buffer.from('The quick brown fox jumps over the dogs.');
/** A raw AES key that exists for this alone; the test has it too. */
const WRAPPING_KEY = Buffer.from(
  readFileSync(new URL('keys/test-only-s3ec.aes.hex', import.meta.url), 'utf8').trim(),
  'hex',
);
const GCM = 'AES/GCM/NoPadding';
const CBC = 'AES/CBC/PKCS5Padding';
const base64 = (bytes) => Buffer.from(bytes).toString('base64');

const gcm = (key, iv, bytes, aad = Buffer.alloc(0)) => {
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(aad);
  return Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
};
/** `AES/GCM` of the format: IV, wrapped key and tag, bound to the content's algorithm. */
const wrap = (dataKey, algorithm) => {
  const iv = randomBytes(12);
  return base64(Buffer.concat([iv, gcm(WRAPPING_KEY, iv, dataKey, Buffer.from(algorithm))]));
};

const SUITE = Buffer.from([0x00, 0x73]);
function committing(dataKey = randomBytes(32)) {
  const id = randomBytes(28);
  const derive = (label, length) =>
    Buffer.from(hkdfSync('sha512', dataKey, id, Buffer.concat([SUITE, Buffer.from(label)]), length));
  const body = gcm(derive('DERIVEKEY', 32), Buffer.alloc(12, 1), PLAINTEXT, SUITE);
  const metadata = {
    'x-amz-c': '115',
    'x-amz-3': wrap(dataKey, '115'),
    'x-amz-w': '02',
    'x-amz-d': base64(derive('COMMITKEY', 28)),
    'x-amz-i': base64(id),
    'x-amz-m': '{"team":"ops"}',
  };
  return { body, metadata };
}

function uncommitted() {
  const dataKey = randomBytes(32);
  const iv = randomBytes(12);
  const metadata = {
    'x-amz-key-v2': wrap(dataKey, GCM),
    'x-amz-iv': base64(iv),
    'x-amz-matdesc': '{"team":"ops"}',
    'x-amz-cek-alg': GCM,
    'x-amz-wrap-alg': 'AES/GCM',
    'x-amz-tag-len': '128',
    'x-amz-unencrypted-content-length': String(PLAINTEXT.length),
  };
  return { body: gcm(dataKey, iv, PLAINTEXT), metadata };
}

const V3 = committing();
const OTHER_V3 = committing();
const V2 = uncommitted();
/** Nothing opens them: their headers are what is judged. */
const KMS_V3 = {
  body: V3.body,
  metadata: {
    ...without(V3.metadata, 'x-amz-m'),
    'x-amz-3': base64(randomBytes(184)),
    'x-amz-w': '12',
    'x-amz-t': '{"aws:x-amz-cek-alg":"115","team":"ops"}',
  },
};
const KMS_V2 = {
  body: V2.body,
  metadata: {
    ...V2.metadata,
    'x-amz-key-v2': base64(randomBytes(184)),
    'x-amz-wrap-alg': 'kms+context',
    'x-amz-matdesc': `{"aws:x-amz-cek-alg":"${GCM}","team":"ops"}`,
  },
};
const V1 = {
  body: randomBytes(48),
  metadata: {
    'x-amz-key': base64(randomBytes(48)),
    'x-amz-iv': base64(randomBytes(16)),
    'x-amz-matdesc': '{"team":"ops"}',
  },
};

function without(entries, ...names) {
  return Object.fromEntries(Object.entries(entries).filter(([name]) => !names.includes(name)));
}
const set = (object, entries) => ({ ...object, metadata: { ...object.metadata, ...entries } });
const drop = (object, ...names) => ({ ...object, metadata: without(object.metadata, ...names) });
const STAYS = ['x-amz-c', 'x-amz-d', 'x-amz-i'];
const LENGTH = 'x-amz-unencrypted-content-length';
/** The same object, the rest of its header in an instruction file; `change` makes its text of the entries. */
function beside(object, change = JSON.stringify) {
  const stays = Object.fromEntries(
    Object.entries(object.metadata).filter(([name]) => STAYS.includes(name) || name === LENGTH),
  );
  return {
    ...object,
    metadata: stays,
    instruction: base64(change(without(object.metadata, ...STAYS, LENGTH))),
  };
}
const file = (object, text) => ({ ...beside(object), instruction: base64(text) });

const READS_V2 = { commitmentPolicy: 'REQUIRE_ENCRYPT_ALLOW_DECRYPT' };
const READS_ALL = { ...READS_V2, allowLegacy: true };

/** A vector: what was done, the expected code (null: it opens), how often a key is asked, and options for the reader. */
function vector(did, { body, metadata, instruction }, code, asked, options = {}) {
  const plaintext = code === null ? PLAINTEXT : Buffer.alloc(0);
  return {
    did,
    code,
    released: { length: plaintext.length, sha256: createHash('sha256').update(plaintext).digest('hex') },
    asked,
    ...options,
    metadata,
    ...(instruction !== undefined && { instruction }),
    message: base64(body),
  };
}
const opens = (did, object, options) => vector(did, object, null, 1, options);
/** Ruled out by the header or the policy: no key is asked. */
const refused = (did, object, code, options = READS_ALL) => vector(did, object, code, 0, options);
/** Only a key can tell. */
const fails = (did, object, code, options) => vector(did, object, code, 1, options);

const intact = [
  opens('V3', V3),
  opens('V3 with an instruction file', beside(V3)),
  opens('V2', V2, READS_V2),
  opens('V2 with an instruction file', beside(V2), READS_V2),
  opens('V3, with entries of others', set(V3, { 'sealdrop-format': 's3ec', 'x-amz-key': '' })),
  opens('V3, with a length that is not so: nothing needs it', set(V3, { [LENGTH]: '1' })),
];

const missing = (name, object, which) =>
  Object.keys(object.metadata)
    .filter((field) => !which.includes(field))
    .map((field) => refused(`${name}: ${field} is missing`, drop(object, field), 'malformed_header'));
/** As HTTP joins two headers of one name. */
const doubled = (name, object, codes) =>
  Object.entries(object.metadata)
    .filter(([field]) => field !== LENGTH)
    .map(([field, value]) =>
      refused(
        `${name}: ${field} is there twice`,
        set(object, { [field]: `${value}, ${value}` }),
        codes[field] ?? 'malformed_header',
      ),
    );
const UNKNOWN = 'unsupported_version';
const NAMED = { 'x-amz-c': UNKNOWN, 'x-amz-w': UNKNOWN, 'x-amz-cek-alg': UNKNOWN, 'x-amz-wrap-alg': UNKNOWN };
const inFile = (name, object) =>
  Object.keys(object.metadata)
    .filter((field) => !STAYS.includes(field) && field !== LENGTH)
    .flatMap((field) => [
      refused(
        `${name}, instruction file: ${field} is a number`,
        beside(object, (f) => JSON.stringify({ ...f, [field]: 1 })),
        'malformed_header',
      ),
      refused(
        `${name}, instruction file: ${field} is an object`,
        beside(object, (f) => JSON.stringify({ ...f, [field]: { a: f[field] } })),
        'malformed_header',
      ),
      refused(
        `${name}, instruction file: ${field} is there twice`,
        beside(object, (f) =>
          JSON.stringify(f).replace('{', () => `{${JSON.stringify(field)}:${JSON.stringify(f[field])},`),
        ),
        'malformed_header',
      ),
    ]);
const base64Fields = [
  ['V3', V3, ['x-amz-3', 'x-amz-d', 'x-amz-i']],
  ['V2', V2, ['x-amz-key-v2', 'x-amz-iv']],
  ['V1', V1, ['x-amz-key', 'x-amz-iv']],
];
const notBase64 = base64Fields.flatMap(([name, object, fields]) =>
  fields.flatMap((field) => {
    const value = object.metadata[field];
    const bytes = Buffer.from(value, 'base64');
    const to = (did, text) =>
      refused(`${name}: ${field} ${did}`, set(object, { [field]: text }), 'malformed_header');
    return [
      to('is not base64', `!${value.slice(1)}`),
      to('is base64 of URLs', `-_${value.slice(2)}`),
      to('is base64 with a line break', `${value.slice(0, 8)}\n${value.slice(8)}`),
      to('ends too soon', value.slice(0, -1)),
      to('has a byte less', base64(bytes.subarray(1))),
      to('has a byte more', base64(Buffer.concat([bytes, Buffer.alloc(1)]))),
      to('is oversized', 'A'.repeat(9000)),
    ];
  }),
);

const header = [
  ...missing('V3', V3, ['x-amz-m']),
  ...missing('V2', V2, ['x-amz-matdesc', 'x-amz-tag-len', LENGTH]),
  ...missing('V1', V1, []),
  refused('V3 of KMS: x-amz-t is missing', drop(KMS_V3, 'x-amz-t'), 'wrong_context'),
  refused('V2 of KMS: x-amz-matdesc is missing', drop(KMS_V2, 'x-amz-matdesc'), 'wrong_context'),
  ...doubled('V3', V3, NAMED),
  ...doubled('V2', V2, NAMED),
  ...doubled('V1', V1, NAMED),
  refused(
    'V3: a name twice, in other letters',
    set(V3, { 'X-Amz-D': V3.metadata['x-amz-d'] }),
    'malformed_header',
  ),
  ...notBase64,
  ...[
    '[]',
    '"ops"',
    'null',
    'team=ops',
    '{"team":1}',
    '{"team":null}',
    '{"team":{}}',
    '{"a":"b","a":"c"}',
  ].flatMap((json) => [
    refused(`V3: the description is ${json}`, set(V3, { 'x-amz-m': json }), 'malformed_header'),
    refused(`V2: the description is ${json}`, set(V2, { 'x-amz-matdesc': json }), 'malformed_header'),
  ]),
  refused(
    'V3: the description is oversized',
    set(V3, { 'x-amz-m': `{"a":"${'x'.repeat(20_000)}"}` }),
    'malformed_header',
  ),
  refused('V3: a content algorithm that is not known', set(V3, { 'x-amz-c': '116' }), UNKNOWN),
  refused("V3: V2's content algorithm", set(V3, { 'x-amz-c': GCM }), UNKNOWN),
  refused('V3: a legacy way of wrapping', set(V3, { 'x-amz-w': '01' }), UNKNOWN),
  refused('V3: a legacy way of wrapping, by its name', set(V3, { 'x-amz-w': 'AESWrap' }), UNKNOWN),
  refused(
    'V2: a content algorithm that is not known',
    set(V2, { 'x-amz-cek-alg': 'AES/CTR/NoPadding' }),
    UNKNOWN,
  ),
  refused('V2: a way of wrapping that is not known', set(V2, { 'x-amz-wrap-alg': 'none' }), UNKNOWN),
  ...['0', '96', '0128', 'x'].map((bits) =>
    refused(`V2: a tag of ${bits} bits`, set(V2, { 'x-amz-tag-len': bits }), 'malformed_header'),
  ),
];

const changed = [
  refused('V3 and V2', set(V3, V2.metadata), 'mixed_formats'),
  refused('V2, and V3 by its names alone', set(V2, { 'x-amz-c': '115', 'x-amz-w': '12' }), 'mixed_formats'),
  refused('V2 and V1', set(V2, { 'x-amz-key': V1.metadata['x-amz-key'] }), 'mixed_formats'),
  refused('V3 stripped to V2 by a store, under the default policy', { ...V2, body: V3.body }, 'policy', {}),
  refused('V2 under the default policy', V2, 'policy', {}),
  refused('V1 under the default policy, legacy allowed', V1, 'policy', { allowLegacy: true }),
  refused('V1 where legacy is not allowed', V1, 'policy', READS_V2),
  refused('V3 without its metadata', { body: V3.body, metadata: {} }, 'not_an_envelope'),
  refused(
    'V3 without its metadata, its instruction file there',
    { ...beside(V3), metadata: {} },
    'malformed_header',
  ),
  refused('kms+context made kms', set(KMS_V2, { 'x-amz-wrap-alg': 'kms' }), 'wrong_context'),
  refused(
    'V2 of KMS said to be CBC',
    drop(set(KMS_V2, { 'x-amz-cek-alg': CBC, 'x-amz-iv': base64(randomBytes(16)) }), 'x-amz-tag-len'),
    'wrong_context',
  ),
  refused('V2 said to be CBC', set(V2, { 'x-amz-cek-alg': CBC }), 'malformed_header'),
  refused(
    'V2 said to be CBC, the rest changed with it',
    drop(set(V2, { 'x-amz-cek-alg': CBC, 'x-amz-iv': base64(randomBytes(16)) }), 'x-amz-tag-len'),
    'malformed_header',
  ),
  refused('V2 said to be wrapped by AESWrap', set(V2, { 'x-amz-wrap-alg': 'AESWrap' }), 'malformed_header'),
  refused(
    'V3 of KMS: the context names another algorithm',
    set(KMS_V3, { 'x-amz-t': `{"aws:x-amz-cek-alg":"${GCM}"}` }),
    'wrong_context',
  ),
  refused(
    'V2 of KMS: the context names no algorithm',
    set(KMS_V2, { 'x-amz-matdesc': '{"team":"ops"}' }),
    'wrong_context',
  ),
  fails(
    'V3 of KMS: the context is not the wrapped one',
    set(KMS_V3, { 'x-amz-t': '{"aws:x-amz-cek-alg":"115","team":"dev"}' }),
    'wrong_context',
  ),
  fails(
    'V3: the wrapped key of another object',
    set(V3, { 'x-amz-3': OTHER_V3.metadata['x-amz-3'] }),
    'commitment',
  ),
  fails('V3: another commitment', set(V3, { 'x-amz-d': OTHER_V3.metadata['x-amz-d'] }), 'commitment'),
  fails('V3: another message id', set(V3, { 'x-amz-i': OTHER_V3.metadata['x-amz-i'] }), 'commitment'),
  fails(
    "V3: the wrapped key in the instruction file is another object's",
    file(V3, JSON.stringify(without(OTHER_V3.metadata, ...STAYS))),
    'commitment',
  ),
  fails(
    'V3: a bit of the wrapped key',
    set(V3, { 'x-amz-3': flip(V3.metadata['x-amz-3'], 30) }),
    'wrong_key_or_header',
  ),
  fails("V3: V2's wrapped key", set(V3, { 'x-amz-3': V2.metadata['x-amz-key-v2'] }), 'wrong_key_or_header'),
  fails('V2: another IV', set(V2, { 'x-amz-iv': base64(randomBytes(12)) }), 'content_auth', READS_V2),
];

function flip(text, at) {
  const bytes = Buffer.from(text, 'base64');
  bytes[at] ^= 1;
  return base64(bytes);
}

const BAD = 'instruction_file';
const instruction = [
  refused('V3: missing', { ...beside(V3), instruction: undefined }, BAD),
  refused(
    'V2: missing, so nothing says what it is',
    { ...beside(V2), instruction: undefined },
    'not_an_envelope',
  ),
  ...[
    ['empty', ''],
    ['not JSON', 'x-amz-3=abc'],
    ['JSON and more', '{}{}'],
    ['a list', '[]'],
    ['null', 'null'],
  ].flatMap(([what, text]) => [
    refused(`V3: ${what}`, file(V3, text), BAD),
    refused(`V2: ${what}`, file(V2, text), BAD),
  ]),
  refused('V3: not UTF-8', file(V3, Buffer.from('7b22ff223a2278227d', 'hex')), BAD),
  refused(
    'V3: huge',
    beside(V3, (f) => JSON.stringify(f).padEnd(16 * 1024 + 1)),
    BAD,
  ),
  refused('V3: of deep lists', file(V3, '['.repeat(8000)), BAD),
  refused(
    'V3: with an entry that no header has',
    beside(V3, (f) => JSON.stringify({ ...f, 'x-amz-meta': 'x' })),
    BAD,
  ),
  refused(
    'V3: with a name in other letters',
    beside(V3, (f) => JSON.stringify(f).replace('x-amz-3', 'X-Amz-3')),
    BAD,
  ),
  ...STAYS.map((name) =>
    refused(
      `V3: with ${name}`,
      beside(V3, (f) => JSON.stringify({ ...f, [name]: V3.metadata[name] })),
      BAD,
    ),
  ),
  refused("V3: with V2's entries", file(V3, JSON.stringify(without(V2.metadata, LENGTH))), 'mixed_formats'),
  refused('V3: with nothing', file(V3, '{}'), 'malformed_header'),
  refused('V2: with nothing', file(V2, '{}'), 'malformed_header'),
  refused(
    'V2: with V1 in it',
    beside(V2, (f) => JSON.stringify({ ...f, 'x-amz-key': 'AAAA' })),
    'mixed_formats',
  ),
  refused(
    'V2: an IV in the metadata too',
    set(beside(V2), { 'x-amz-iv': V2.metadata['x-amz-iv'] }),
    'malformed_header',
  ),
  ...inFile('V3', V3),
  ...inFile('V2', V2).filter(({ did }) => !/tag-len is a number/.test(did)),
];

const bodies = [
  ['V3', V3, {}],
  ['V2', V2, READS_V2],
];
const content = bodies.flatMap(([name, object, options]) => {
  const to = (did, body, code) => fails(`${name}: ${did}`, { ...object, body }, code, options);
  const { body } = object;
  const flipped = (at) => Buffer.from(flip(base64(body), at), 'base64');
  return [
    vector(`${name}: nothing left`, { ...object, body: Buffer.alloc(0) }, 'truncated', 0, options),
    vector(`${name}: less than a tag`, { ...object, body: body.subarray(0, 15) }, 'truncated', 0, options),
    to('a tag alone', body.subarray(0, 16), 'content_auth'),
    to('without its last byte', body.subarray(0, -1), 'content_auth'),
    to('without its first byte', body.subarray(1), 'content_auth'),
    to('half of it', body.subarray(0, body.length / 2), 'content_auth'),
    to('a byte more', Buffer.concat([body, Buffer.alloc(1)]), 'content_auth'),
    to('twice', Buffer.concat([body, body]), 'content_auth'),
    to('a bit of the first byte', flipped(0), 'content_auth'),
    to('a bit in the middle', flipped(20), 'content_auth'),
    to('a bit of the last byte', flipped(PLAINTEXT.length - 1), 'content_auth'),
    to('a bit of the tag', flipped(body.length - 1), 'content_auth'),
    to('of another object', OTHER_V3.body, 'content_auth'),
  ];
});

for (const [name, list] of Object.entries({ intact, header, changed, instruction, content })) {
  const lines = list.map((entry) => JSON.stringify(entry));
  writeFileSync(new URL(`s3ec-${name}.json`, import.meta.url), `[\n${lines.join(',\n')}\n]\n`);
}
