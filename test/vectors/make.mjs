/**
 * Makes the vectors anew: node test/vectors/make.mjs
 *
 * Every expectation here was written down from the specification and docs/errors.md, none was taken from a run. The
 * messages come from AWS's client-node and from craft.mjs, so that no writer of ours has a part in them. Each run makes
 * other bytes (message ids and wrapped keys are random) with the same names and expectations.
 */
import { createHash, generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import * as sdk from '@aws-crypto/client-node';
import { craft } from './craft.mjs';
import { layout } from './layout.mjs';

const { buildClient, CommitmentPolicy, MultiKeyringNode, RawRsaKeyringNode } = sdk;
const strict = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT);
const relaxed = buildClient(CommitmentPolicy.FORBID_ENCRYPT_ALLOW_DECRYPT);
const read = (name) => readFileSync(new URL(`keys/test-only-${name}.public.pem`, import.meta.url), 'utf8');
const READER = { namespace: 'MyAppKeys', name: 'S3RSAKey', publicKey: read('reader') };
const OTHER = { namespace: 'MyAppKeys', name: 'other', publicKey: read('other') };
const STRANGER = {
  ...READER,
  publicKey: generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({
    type: 'spki',
    format: 'pem',
  }),
};

const FRAME = 16;
const PLAINTEXT = Buffer.from('The quick brown fox jumps over the dogs.'); // 40 bytes: frames of 16, 16 and 8
const ALL = PLAINTEXT.length;
const CONTEXT = { 'sealdrop:key': 'docs/report.txt', purpose: 'vector' };
const PAIRS = Object.entries(CONTEXT);
const RELAXED = { commitmentPolicy: 'REQUIRE_ENCRYPT_ALLOW_DECRYPT' };

const keyringOf = ({ namespace, name, publicKey }) =>
  new RawRsaKeyringNode({
    keyNamespace: namespace,
    keyName: name,
    rsaKey: { publicKey },
    oaepHash: 'sha256',
  });

async function make(
  suiteId,
  {
    to = [READER],
    frameLength = FRAME,
    context = CONTEXT,
    client = suiteId >= 0x0400 ? strict : relaxed,
  } = {},
) {
  const [generator, ...children] = to.map(keyringOf);
  const keyring = children.length === 0 ? generator : new MultiKeyringNode({ generator, children });
  return (await client.encrypt(keyring, PLAINTEXT, { suiteId, frameLength, encryptionContext: context }))
    .result;
}

const plain = await make(0x0478);
const another = await make(0x0478);
const signed = await make(0x0578);
const old = await make(0x0178);
const forTwo = await make(0x0478, { to: [READER, OTHER] });

/** A vector: what was done, the expected code (null: it opens), bytes released before, and options for the reader. */
const vector = (did, message, code, released = 0, options = {}) => {
  const digest = createHash('sha256').update(PLAINTEXT.subarray(0, released)).digest('hex');
  return {
    did,
    code,
    released: { length: released, sha256: digest },
    ...options,
    message: Buffer.from(message).toString('base64'),
  };
};

const at = (message, field) => layout(message)[field];
const cut = (message, field) => message.subarray(at(message, field).begin, at(message, field).end);
const put = (message, field, bytes) =>
  Buffer.concat([
    message.subarray(0, at(message, field).begin),
    Buffer.from(bytes),
    message.subarray(at(message, field).end),
  ]);
/** One byte of a field changed by an exclusive or; the last one where `index` is not said. */
const flip = (message, field, mask = 1, index = -1) => {
  const out = Buffer.from(message);
  const { begin, end } = at(message, field);
  out[index < 0 ? end + index : begin + index] ^= mask;
  return out;
};
const add = (message, field, amount) => {
  const bytes = Buffer.from(cut(message, field));
  bytes.writeUIntBE(bytes.readUIntBE(0, bytes.length) + amount, 0, bytes.length);
  return put(message, field, bytes);
};
const crafted = (options) => craft({ pairs: PAIRS, recipients: [READER], frameLength: FRAME, ...options });
const FRAMES = [PLAINTEXT.subarray(0, 16), PLAINTEXT.subarray(16, 32), PLAINTEXT.subarray(32)];
const wholeBody = (w) => Buffer.concat([w.frame(1, FRAMES[0]), w.frame(2, FRAMES[1]), w.final(3, FRAMES[2])]);

const withoutFooter = signed.subarray(0, at(signed, 'signature length').begin);
const withoutContext = Buffer.concat([
  plain.subarray(0, at(plain, 'context length').begin),
  Buffer.alloc(2),
  plain.subarray(at(plain, 'context').end),
]);

// ---------------------------------------------------------------------------------------------------------

function intact() {
  return [
    vector('a message of the default suite', plain, null, ALL),
    vector('a signed message', signed, null, ALL),
    vector('an uncommitted message under a relaxed policy', old, null, ALL, RELAXED),
    vector('a message for two, opened by the first', forTwo, null, ALL),
    vector('a message for two, opened by the second', forTwo, null, ALL, { reader: 'other' }),
    vector('a crafted message of three frames', crafted({ body: wholeBody }), null, ALL),
    vector(
      'a crafted message that ends in an empty final frame',
      crafted({ body: (w) => Buffer.concat([w.frame(1, FRAMES[0]), w.final(2, Buffer.alloc(0))]) }),
      null,
      16,
    ),
    vector(
      'a crafted unframed message',
      crafted({ frameLength: 0, contentType: 1, body: (w) => w.block(PLAINTEXT) }),
      null,
      ALL,
    ),
    vector(
      'a crafted message with context names that JavaScript objects have',
      crafted({
        pairs: [
          ['__proto__', 'a'],
          ['constructor', 'b'],
          ['toString', 'c'],
        ],
        body: wholeBody,
      }),
      null,
      ALL,
    ),
    vector('a crafted message without any context', crafted({ pairs: [], body: wholeBody }), null, ALL),
  ];
}

function truncated() {
  const fields = layout(plain);
  const header = fields.header.end;
  const ends = new Set([0, plain.length]);
  for (const { begin, end } of Object.values(fields))
    for (const edge of [begin, end]) for (const n of [edge - 1, edge, edge + 1]) ends.add(n);
  const released = (length) =>
    [fields['frame 1'].end, fields['frame 2'].end].filter((end) => end <= length).length * FRAME;
  const list = [...ends].filter((n) => n > 0 && n < plain.length).sort((a, b) => a - b);
  const cuts = list.map((n) => {
    const where =
      n < header ? 'within the header' : n === header ? 'right after the header' : 'within the body';
    return vector(`cut off after ${n} bytes, ${where}`, plain.subarray(0, n), 'truncated', released(n));
  });
  const footer = at(signed, 'signature length').begin;
  for (const n of [footer, footer + 1, footer + 2, footer + 3, signed.length - 1])
    cuts.push(
      vector(
        `a signed message cut off ${n - footer} bytes into its footer`,
        signed.subarray(0, n),
        'truncated',
        ALL,
      ),
    );
  const v1Header = at(old, 'header').end;
  for (const n of [1, 2, 3, 4, v1Header - 1, v1Header, v1Header + 1])
    cuts.push(
      vector(`a version 1 message cut off after ${n} bytes`, old.subarray(0, n), 'truncated', 0, RELAXED),
    );
  const block = crafted({ frameLength: 0, contentType: 1, body: (w) => w.block(PLAINTEXT) });
  cuts.push(vector('an unframed message without its last byte', block.subarray(0, -1), 'truncated', 0));
  cuts.push(vector('an unframed message cut off in its content', block.subarray(0, -20), 'truncated', 0));
  cuts.push(
    vector(
      'a message of regular frames only',
      crafted({ body: (w) => Buffer.concat([w.frame(1, FRAMES[0]), w.frame(2, FRAMES[1])]) }),
      'truncated',
      32,
    ),
  );
  return cuts;
}

function alteredHeader() {
  const of = (name, message, code, options) => vector(`header: ${name}`, message, code, 0, options);
  return [
    of('version 2 made 3', flip(plain, 'version'), 'unsupported_version'),
    of('version 2 made 8', put(plain, 'version', [8]), 'unsupported_version'),
    of('version 2 made 0', put(plain, 'version', [0]), 'not_an_envelope'),
    of('version 2 made 1', put(plain, 'version', [1]), 'not_an_envelope'),
    of('version 2 made a letter', flip(plain, 'version', 0x40), 'not_an_envelope'),
    of('version 1, type altered', flip(old, 'type'), 'not_an_envelope', RELAXED),
    of('unknown suite', flip(plain, 'suite'), 'unsupported_version'),
    of('suite of the other message version', put(plain, 'suite', [0x01, 0x78]), 'unsupported_version'),
    of('unsigned suite made the signed one', put(plain, 'suite', [0x05, 0x78]), 'wrong_key_or_header'),
    of(
      'signed suite made the unsigned one (signature stripped)',
      put(withoutFooter, 'suite', [0x04, 0x78]),
      'wrong_key_or_header',
    ),
    of(
      'version 1, suite made one without key derivation',
      put(old, 'suite', [0x00, 0x78]),
      'wrong_key_or_header',
      RELAXED,
    ),
    of('message id altered', flip(plain, 'message id'), 'commitment'),
    of('version 1, message id altered', flip(old, 'message id'), 'wrong_key_or_header', RELAXED),
    of('context altered', flip(plain, 'context'), 'wrong_key_or_header'),
    of('context count too high', flip(plain, 'context', 1, 1), 'not_an_envelope'),
    of('context length one too high', add(plain, 'context length', 1), 'not_an_envelope'),
    of('context length beyond the end', put(plain, 'context length', [0xff, 0xff]), 'truncated'),
    of('context removed', withoutContext, 'wrong_key_or_header'),
    of('no wrapped key', put(plain, 'wrapped key count', [0, 0]), 'not_an_envelope'),
    of('wrapped keys counted beyond the end', put(plain, 'wrapped key count', [0xff, 0xff]), 'truncated'),
    of('namespace of the wrapped key altered', flip(plain, 'wrapped key 1 namespace'), 'wrong_key_or_header'),
    of('name of the wrapped key altered', flip(plain, 'wrapped key 1 name'), 'wrong_key_or_header'),
    of('wrapped key altered', flip(plain, 'wrapped key 1 bytes'), 'wrong_key_or_header'),
    of('wrapped key of somebody else altered', flip(forTwo, 'wrapped key 2 bytes'), 'wrong_key_or_header'),
    of('content type made unframed', put(plain, 'content type', [1]), 'not_an_envelope'),
    of('content type unknown', put(plain, 'content type', [3]), 'not_an_envelope'),
    of('frame length altered', flip(plain, 'frame length'), 'wrong_key_or_header'),
    of('frame length made 0', put(plain, 'frame length', [0, 0, 0, 0]), 'not_an_envelope'),
    of('frame length made the largest', put(plain, 'frame length', [255, 255, 255, 255]), 'policy'),
    of(
      'frame length made the largest, held back',
      put(plain, 'frame length', [255, 255, 255, 255]),
      'wrong_key_or_header',
      { held: true },
    ),
    of('version 1, reserved bytes set', flip(old, 'reserved'), 'not_an_envelope', RELAXED),
    of('version 1, IV length altered', flip(old, 'iv length'), 'not_an_envelope', RELAXED),
    of('version 1, header IV altered', flip(old, 'header iv'), 'wrong_key_or_header', RELAXED),
    of('commitment altered', flip(plain, 'commitment'), 'commitment'),
    of('commitment of another message', put(plain, 'commitment', cut(another, 'commitment')), 'commitment'),
    of(
      'commitment to another key, sealed with it',
      crafted({ commitment: Buffer.alloc(32, 7), body: wholeBody }),
      'commitment',
    ),
    of('tag altered', flip(plain, 'header tag'), 'wrong_key_or_header'),
    of('version 1, tag altered', flip(old, 'header tag'), 'wrong_key_or_header', RELAXED),
    of('tag of another message', put(plain, 'header tag', cut(another, 'header tag')), 'wrong_key_or_header'),
    of('a context name twice', crafted({ pairs: [...PAIRS, PAIRS[0]], body: wholeBody }), 'not_an_envelope'),
    of(
      'a context name twice in invalid UTF-8',
      crafted({
        pairs: [
          [Buffer.from([0xff]), 'a'],
          [Buffer.from([0xfe]), 'b'],
        ],
        body: wholeBody,
      }),
      'not_an_envelope',
    ),
    of(
      'a public signing key in an unsigned message',
      crafted({ pairs: [['aws-crypto-public-key', 'AAAA'], ...PAIRS], body: wholeBody }),
      'wrong_key_or_header',
    ),
  ];
}

function alteredBody() {
  const of = (name, message, code, released) => vector(`body: ${name}`, message, code, released);
  return [
    of('first sequence number altered', add(plain, 'frame 1 sequence', 1), 'frame_order', 0),
    of('first frame marked final', put(plain, 'frame 1 sequence', [255, 255, 255, 255]), 'frame_order', 0),
    of('second sequence number altered', flip(plain, 'frame 2 sequence'), 'frame_order', 16),
    of('second sequence number made 0', put(plain, 'frame 2 sequence', [0, 0, 0, 0]), 'frame_order', 16),
    of('first IV altered', flip(plain, 'frame 1 iv'), 'frame_auth', 0),
    of('first content altered', flip(plain, 'frame 1 content'), 'frame_auth', 0),
    of('first tag altered', flip(plain, 'frame 1 tag'), 'frame_auth', 0),
    of('second content altered', flip(plain, 'frame 2 content', 0x80, 0), 'frame_auth', 16),
    of('second tag altered', flip(plain, 'frame 2 tag'), 'frame_auth', 16),
    of('final mark altered', flip(plain, 'final mark'), 'frame_order', 32),
    of('final sequence number altered', flip(plain, 'final sequence'), 'frame_order', 32),
    of('final IV altered', flip(plain, 'final iv'), 'frame_auth', 32),
    of('final content altered', flip(plain, 'final content'), 'frame_auth', 32),
    of('final tag altered', flip(plain, 'final tag'), 'frame_auth', 32),
    of('final length one too small', add(plain, 'final length', -1), 'frame_auth', 32),
    of('final length one too high', add(plain, 'final length', 1), 'truncated', 32),
    of('final length above the frame length', add(plain, 'final length', 9), 'frame_auth', 32),
    of('final length made the largest', put(plain, 'final length', [255, 255, 255, 255]), 'frame_auth', 32),
    of(
      'a final frame longer than frames are, properly sealed',
      crafted({ body: (w) => w.final(1, PLAINTEXT.subarray(0, 17)) }),
      'frame_auth',
      0,
    ),
    of('signed, content of the second frame altered', flip(signed, 'frame 2 content'), 'frame_auth', 16),
    of('signature altered', flip(signed, 'signature'), 'signature', ALL),
    of(
      'signature no signature',
      put(signed, 'signature', Buffer.alloc(cut(signed, 'signature').length)),
      'signature',
      ALL,
    ),
    of('signature empty', Buffer.concat([withoutFooter, Buffer.alloc(2)]), 'signature', ALL),
    of('signature length one too small', add(signed, 'signature length', -1), 'signature', ALL),
    of('signature length one too high', add(signed, 'signature length', 1), 'truncated', ALL),
    of(
      'unframed content altered',
      crafted({ frameLength: 0, contentType: 1, body: (w) => flipLast(w.block(PLAINTEXT), 20) }),
      'frame_auth',
      0,
    ),
    of(
      'unframed tag altered',
      crafted({ frameLength: 0, contentType: 1, body: (w) => flipLast(w.block(PLAINTEXT), 1) }),
      'frame_auth',
      0,
    ),
    of(
      'unframed length beyond what AES-GCM can seal',
      crafted({ frameLength: 0, contentType: 1, body: (w) => w.block(PLAINTEXT, 2 ** 36 - 31) }),
      'frame_auth',
      0,
    ),
  ];
}

function flipLast(bytes, back) {
  const out = Buffer.from(bytes);
  out[out.length - back] ^= 1;
  return out;
}

function rearranged() {
  const of = (name, parts, code, released) => vector(`frames: ${name}`, Buffer.concat(parts), code, released);
  const [head, first, second, last] = ['header', 'frame 1', 'frame 2', 'final'].map((name) =>
    cut(plain, name),
  );
  const numbered = (frame, n) => Buffer.concat([Buffer.from([0, 0, 0, n]), frame.subarray(4)]);
  const lastAs = (n) => Buffer.concat([last.subarray(0, 4), Buffer.from([0, 0, 0, n]), last.subarray(8)]);
  const asFinal = Buffer.concat([
    Buffer.from([255, 255, 255, 255]),
    second.subarray(0, 16),
    Buffer.from([0, 0, 0, FRAME]),
    second.subarray(16),
  ]);
  const alien = (name) => cut(another, name);
  return [
    of('the first two swapped', [head, second, first, last], 'frame_order', 0),
    of(
      'the first two swapped and renumbered',
      [head, numbered(second, 1), numbered(first, 2), last],
      'frame_auth',
      0,
    ),
    of('the first one twice', [head, first, first, second, last], 'frame_order', 16),
    of('the first one twice, renumbered', [head, first, numbered(first, 2), last], 'frame_auth', 16),
    of('the first one dropped', [head, second, last], 'frame_order', 0),
    of('the second one dropped', [head, first, last], 'frame_order', 16),
    of('the second one dropped, the final one renumbered', [head, first, lastAs(2)], 'frame_auth', 16),
    of('all but the final one dropped', [head, last], 'frame_order', 0),
    of('the final one dropped', [head, first, second], 'truncated', 32),
    of('the final one moved to the front', [head, last, first, second], 'frame_order', 0),
    of('the final one moved to the front and renumbered', [head, lastAs(1), first, second], 'frame_auth', 0),
    of('the final one twice', [head, first, second, last, last], 'trailing_data', ALL),
    of('the second one declared final (truncation at a frame)', [head, first, asFinal], 'frame_auth', 16),
    of('the first one of another message', [head, alien('frame 1'), second, last], 'frame_auth', 0),
    of('the second one of another message', [head, first, alien('frame 2'), last], 'frame_auth', 16),
    of('the final one of another message', [head, first, second, alien('final')], 'frame_auth', 32),
    of('all of another message', [head, alien('frame 1'), alien('frame 2'), alien('final')], 'frame_auth', 0),
    of('one byte after the message', [plain, Buffer.from([0])], 'trailing_data', ALL),
    of('one byte after a signed message', [signed, Buffer.from([0])], 'trailing_data', ALL),
    of('a whole message after the message', [plain, another], 'trailing_data', ALL),
    of('the message twice', [plain, plain], 'trailing_data', ALL),
    of('one byte before the message', [Buffer.from([2]), plain], 'unsupported_version', 0),
  ];
}

async function foreign() {
  const of = (name, bytes, code, options) => vector(`foreign: ${name}`, bytes, code, 0, options);
  return [
    of('an empty file', Buffer.alloc(0), 'not_an_envelope'),
    of('a text', Buffer.from('Dear all,\nplease find attached.\n'), 'not_an_envelope'),
    of('a text that begins with a line feed', Buffer.from('\nDear all'), 'not_an_envelope'),
    of('JSON', Buffer.from('{"a":1}'), 'not_an_envelope'),
    of('gzip', gzipSync(PLAINTEXT), 'not_an_envelope'),
    of('zeros', Buffer.alloc(64), 'not_an_envelope'),
    of('a message in base64', Buffer.from(plain.toString('base64')), 'not_an_envelope'),
    of(
      'a version of the future',
      Buffer.concat([Buffer.from([3]), plain.subarray(1)]),
      'unsupported_version',
    ),
    of('a suite of the future', put(plain, 'suite', [0x06, 0x78]), 'unsupported_version'),
    of(
      'a message to a stranger of the same name',
      await make(0x0478, { to: [STRANGER] }),
      'wrong_key_or_header',
    ),
    of('a message to another recipient', await make(0x0478, { to: [OTHER] }), 'wrong_key_or_header'),
    of('a message to the reader, opened by another', plain, 'wrong_key_or_header', { reader: 'other' }),
  ];
}

async function policy() {
  const of = (name, message, code, released = 0, options = {}) =>
    vector(`policy: ${name}`, message, code, released, options);
  const large = await make(0x0478, { frameLength: 64 * 1024 * 1024 + 1 });
  const many = (count) => Array.from({ length: count }, (_, i) => ({ ...READER, name: `key-${i}` }));
  const claims = crafted({
    frameLength: 0,
    contentType: 1,
    body: (w) => w.block(PLAINTEXT, 64 * 1024 * 1024 + 1),
  });
  return [
    of('an uncommitted suite under the default policy', old, 'policy'),
    of('an uncommitted signed suite under the default policy', await make(0x0378), 'policy'),
    of(
      'an uncommitted suite to a stranger: refused before any key is tried',
      await make(0x0078, { to: [STRANGER] }),
      'policy',
    ),
    of('frames above the limit', large, 'policy'),
    of('frames above the limit, held back', large, null, ALL, { held: true }),
    of('frames above a limit of 15 bytes', plain, 'policy', 0, { maxFrameLength: 15 }),
    of('frames at a limit of 16 bytes', plain, null, ALL, { maxFrameLength: 16 }),
    of('an unframed message above the limit', claims, 'policy'),
    of('an unframed message above the limit that ends early, held back', claims, 'truncated', 0, {
      held: true,
    }),
    of('21 wrapped keys', await make(0x0478, { to: many(21) }), 'policy'),
    of('two wrapped keys, allowed is one', forTwo, 'policy', 0, { maxWrappedKeys: 1 }),
    of('two wrapped keys, allowed are two', forTwo, null, ALL, { maxWrappedKeys: 2 }),
  ];
}

async function binding() {
  const of = (name, message, code, vaultKey, released = 0) =>
    vector(`binding: ${name}`, message, code, released, { vaultKey });
  const unbound = await make(0x0478, { context: { purpose: 'vector' } });
  const made = (key) => crafted({ pairs: [['sealdrop:key', key]], body: wholeBody });
  return [
    of('asked for under its own key', plain, null, 'docs/report.txt', ALL),
    of('asked for under another key', plain, 'wrong_object', 'docs/secret.txt'),
    of('asked for under a key that differs in case', plain, 'wrong_object', 'docs/Report.txt'),
    of('names no key where one is required', unbound, 'wrong_object', 'docs/report.txt'),
    of(
      'no context where a key is required',
      crafted({ pairs: [], body: wholeBody }),
      'wrong_object',
      'docs/report.txt',
    ),
    of('composed and decomposed letters are two keys', made('caf\u00e9'), 'wrong_object', 'cafe\u0301'),
    of(
      'a name that looks like ours does not bind',
      crafted({ pairs: [['sealdr\u043ep:key', 'a']], body: wholeBody }),
      'wrong_object',
      'a',
    ),
    of(
      'a name with an invisible letter does not bind',
      crafted({ pairs: [['sealdrop:key\u200b', 'a']], body: wholeBody }),
      'wrong_object',
      'a',
    ),
    of(
      'a name with bytes that are no UTF-8 does not bind',
      crafted({ pairs: [[Buffer.from('sealdrop:key\xff', 'latin1'), 'a']], body: wholeBody }),
      'wrong_object',
      'a',
    ),
    of(
      'an inherited name does not bind',
      crafted({ pairs: [['__proto__', 'a']], body: wholeBody }),
      'wrong_object',
      'a',
    ),
    of('an empty key is not no key', made(''), 'wrong_object', 'a'),
  ];
}

const files = {
  intact: intact(),
  truncated: truncated(),
  header: alteredHeader(),
  body: alteredBody(),
  frames: rearranged(),
  foreign: await foreign(),
  policy: await policy(),
  binding: await binding(),
};
for (const [name, vectors] of Object.entries(files))
  writeFileSync(
    new URL(`${name}.json`, import.meta.url),
    `[\n${vectors.map((v) => JSON.stringify(v)).join(',\n')}\n]\n`,
  );
