import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { documents } from '../helpers/cli.js';
import { newVault, type TestVault } from '../helpers/cli-vault.js';
import { SETUP_TIME, startMinio, type S3Server } from '../helpers/servers.js';
import { layout } from '../vectors/layout.mjs';

const PRIVATE = ['--private-key', 'private_key.pem'];
const FRAME = 1000;
/** Five frames, the last one of 500 bytes. */
const PLAINTEXT = randomBytes(4 * FRAME + 500);

let server: S3Server;
beforeAll(async () => {
  server = await startMinio();
}, SETUP_TIME);
afterAll(async () => server.stop());

const flipped = (message: Buffer, at: number): Buffer => {
  const copy = Buffer.from(message);
  copy[at]! ^= 1;
  return copy;
};
const cut = (message: Buffer, part: string) => message.subarray(0, layout(message)[part]!.begin);
const part = (message: Buffer, name: string) => {
  const { begin, end } = layout(message)[name]!;
  return message.subarray(begin, end);
};
/** The body with its parts in another order. */
const ordered = (message: Buffer, ...parts: string[]) =>
  Buffer.concat(['header', ...parts].map((name) => part(message, name)));

interface Tampering {
  did: string;
  code: string;
  /** Frames that cat releases before. */
  frames: number;
  readonly change: (message: Buffer, others: Others) => Buffer;
  signed?: boolean;
}

interface Others {
  /** The message of another key, to the same recipient. */
  swapped: Buffer;
  /** A message for this very key, to another recipient. */
  toOther: Buffer;
  uncommitted: Buffer;
}

const TAMPERINGS: Tampering[] = [
  { did: 'nothing is left', code: 'not_an_envelope', frames: 0, change: () => Buffer.alloc(0) },
  { did: 'a plain file', code: 'not_an_envelope', frames: 0, change: () => Buffer.from('name,value\na,1\n') },
  {
    did: 'a newer message version',
    code: 'unsupported_version',
    frames: 0,
    change: (m) => Buffer.concat([Buffer.from([3]), m.subarray(1)]),
  },
  {
    did: 'a suite nobody knows',
    code: 'unsupported_version',
    frames: 0,
    change: (m) => Buffer.concat([m.subarray(0, 1), Buffer.from([0x09, 0x99]), m.subarray(3)]),
  },
  { did: 'cut within the header', code: 'truncated', frames: 0, change: (m) => m.subarray(0, 100) },
  { did: 'cut before the first frame', code: 'truncated', frames: 0, change: (m) => cut(m, 'frame 1') },
  {
    did: 'cut within frame 3',
    code: 'truncated',
    frames: 2,
    change: (m) => m.subarray(0, layout(m)['frame 3']!.begin + 500),
  },
  { did: 'cut between frames 3 and 4', code: 'truncated', frames: 3, change: (m) => cut(m, 'frame 4') },
  { did: 'cut before the final frame', code: 'truncated', frames: 4, change: (m) => cut(m, 'final') },
  { did: 'without its last byte', code: 'truncated', frames: 4, change: (m) => m.subarray(0, -1) },
  {
    did: 'a bit of the wrapped key flipped',
    code: 'wrong_key_or_header',
    frames: 0,
    change: (m) => flipped(m, layout(m)['wrapped key 1 bytes']!.begin + 9),
  },
  {
    did: 'a bit of the context flipped',
    code: 'wrong_key_or_header',
    frames: 0,
    change: (m) => flipped(m, layout(m).context!.end - 1),
  },
  {
    did: 'a bit of the header tag flipped',
    code: 'wrong_key_or_header',
    frames: 0,
    change: (m) => flipped(m, layout(m)['header tag']!.begin),
  },
  {
    did: 'a bit of the commitment flipped',
    code: 'commitment',
    frames: 0,
    change: (m) => flipped(m, layout(m).commitment!.begin),
  },
  ...[1, 3].map((n): Tampering => ({
    did: `a bit of frame ${n} flipped`,
    code: 'frame_auth',
    frames: n - 1,
    change: (m) => flipped(m, layout(m)[`frame ${n} content`]!.begin + 7),
  })),
  {
    did: 'a bit of the final frame flipped',
    code: 'frame_auth',
    frames: 4,
    change: (m) => flipped(m, layout(m)['final content']!.begin),
  },
  {
    did: 'a bit of the last tag flipped',
    code: 'frame_auth',
    frames: 4,
    change: (m) => flipped(m, m.length - 1),
  },
  {
    did: 'frames 2 and 3 swapped',
    code: 'frame_order',
    frames: 1,
    change: (m) => ordered(m, 'frame 1', 'frame 3', 'frame 2', 'frame 4', 'final'),
  },
  {
    did: 'frame 2 dropped',
    code: 'frame_order',
    frames: 1,
    change: (m) => ordered(m, 'frame 1', 'frame 3', 'frame 4', 'final'),
  },
  {
    did: 'frame 2 repeated',
    code: 'frame_order',
    frames: 2,
    change: (m) => ordered(m, 'frame 1', 'frame 2', 'frame 2', 'frame 3', 'frame 4', 'final'),
  },
  {
    did: 'frame 2 of another message in its place',
    code: 'frame_auth',
    frames: 1,
    change: (m, { swapped }) =>
      Buffer.concat([
        ordered(m, 'frame 1'),
        part(swapped, 'frame 2'),
        part(m, 'frame 3'),
        part(m, 'frame 4'),
        part(m, 'final'),
      ]),
  },
  {
    did: 'a byte after the end',
    code: 'trailing_data',
    frames: 5,
    change: (m) => Buffer.concat([m, Buffer.from([0])]),
  },
  { did: 'the message twice', code: 'trailing_data', frames: 5, change: (m) => Buffer.concat([m, m]) },
  {
    did: 'swapped with another object',
    code: 'wrong_object',
    frames: 0,
    change: (_m, { swapped }) => swapped,
  },
  {
    did: 'encrypted to somebody else',
    code: 'wrong_key_or_header',
    frames: 0,
    change: (_m, { toOther }) => toOther,
  },
  { did: 'of an uncommitted suite', code: 'policy', frames: 0, change: (_m, { uncommitted }) => uncommitted },
  {
    did: 'a bit of the signature flipped',
    code: 'signature',
    frames: 5,
    signed: true,
    change: (m) => flipped(m, m.length - 1),
  },
  {
    did: 'without the signature',
    code: 'truncated',
    frames: 5,
    signed: true,
    change: (m) => m.subarray(0, layout(m).final!.end),
  },
];

/** The first of each code: of the store it is only asked that it hands out what was planted, and what comes of that. */
const EACH_CODE = TAMPERINGS.filter(({ code }, i) => TAMPERINGS.findIndex((t) => t.code === code) === i);

describe.each([
  { kind: 's3', tamperings: TAMPERINGS },
  { kind: 'directory', tamperings: EACH_CODE },
] as const)('an object on $kind', ({ kind, tamperings }) => {
  let vault: TestVault;
  let message: Buffer;
  let signed: Buffer;
  let others: Others;

  beforeAll(async () => {
    vault = await newVault(kind, server);
    vault.box.write('target', 'untouched');
    const sealed = async (key: string, ...args: string[]) => {
      const keys = args.includes('--public-key') ? [] : ['--public-key', 'public_key.pem'];
      const all = ['put', '-', `${vault.address}/${key}`, '--frame-length', `${FRAME}`, ...keys, ...args];
      expect(await vault.box.run(all, { input: PLAINTEXT })).toMatchObject({ code: 0 });
      return vault.stored(key);
    };
    const policy = ['--suite', '0x0178', '--commitment-policy', 'FORBID_ENCRYPT_ALLOW_DECRYPT'];
    others = {
      swapped: await sealed('other'),
      toOther: await sealed('object', '--public-key', 'other_public.pem'),
      uncommitted: await sealed('object', ...policy),
    };
    signed = await sealed('object', '--sign');
    message = await sealed('object');
  });

  test('that is as it was made opens', async () => {
    const cat = await vault.box.run(['cat', `${vault.address}/object`, ...PRIVATE]);
    expect(cat).toMatchObject({ code: 0, stderr: '' });
    expect(cat.stdout.equals(PLAINTEXT)).toBe(true);
  });

  test.each(tamperings)(
    '$did: exit 5, $code, $frames frames before it',
    async ({ code, frames, change, signed: sign }) => {
      const { box, address } = vault;
      await vault.plant('object', change(sign === true ? signed : message, others));
      const before = box.files();
      const [onto, fresh, cat, verified] = await Promise.all([
        box.run(['get', `${address}/object`, 'target', '--json', ...PRIVATE]),
        box.run(['get', `${address}/object`, 'fresh', ...PRIVATE]),
        box.run(['cat', `${address}/object`, ...PRIVATE]),
        box.run(['verify', `${address}/object`, '--json', ...PRIVATE]),
      ]);
      expect([onto.code, fresh.code, cat.code, verified.code]).toEqual([5, 5, 5, 5]);
      expect(documents(onto)).toMatchObject([{ error: { code, retryable: false } }]);
      expect(documents(verified).at(-1)).toMatchObject({ error: { code } });
      for (const { stderr } of [onto, fresh, cat])
        expect(stderr).toMatch(/^error: [^\n]+\n(hint: [^\n]+\n)?$/);
      expect(cat.stdout.equals(PLAINTEXT.subarray(0, frames * FRAME))).toBe(true);
      expect(box.files()).toEqual(before);
      expect(box.read('target').toString()).toBe('untouched');
    },
  );

  test('a message file that is cut is refused by inspect or shown as what its header says; verify without the key finds it', async () => {
    await vault.plant('object', message.subarray(0, -20));
    const inspected = await vault.box.run(['inspect', `${vault.address}/object`, '--json']);
    expect(documents(inspected)[0]).toMatchObject({ origin: 'sealdrop' });
    const verified = await vault.box.run(['verify', `${vault.address}/object`, '--json']);
    expect(verified.code).toBe(5);
    expect(documents(verified)).toMatchObject([
      { authenticated: false, checks: [{ name: 'framing', result: 'failed' }] },
      { error: { code: 'truncated' } },
    ]);
  });

  // No store has a part in it.
  if (kind !== 's3') return;
  test('through a pipe the same: what was released and the exit code', async () => {
    const pipe = (input: Buffer) => vault.box.run(['get', '-', '-', '--json', ...PRIVATE], { input });
    for (const { change, frames, code } of TAMPERINGS.filter((t) =>
      ['frame_auth', 'frame_order'].includes(t.code),
    )) {
      const got = await pipe(change(message, others));
      expect(got.code).toBe(5);
      expect(JSON.parse(got.stderr)).toMatchObject({ error: { code } });
      expect(got.stdout.equals(PLAINTEXT.subarray(0, frames * FRAME))).toBe(true);
    }
  });
});
