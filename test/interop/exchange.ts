/** What every version of the AWS Encryption SDK for Python is put through, in both directions. */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { allSuites, suiteIdText, type Suite } from '../../src/envelope/esdk/suites.js';
import { openDecryptor, openEncryptor } from '../../src/index.js';
// Loaded before they are asked for: where jest 29 is asked for several modules at once, it fails at times ("request for
// 'node:crypto' is not in cache").
import '../../src/envelope/esdk/decrypt.js';
import '../../src/envelope/esdk/encrypt.js';
import '../../src/keys/private-key-set.js';
import '../../src/keys/raw-rsa/wrap.js';
import { OAEP_HASHES, type CommitmentPolicyName, type MessageInfo, type OaepHash } from '../../src/ports.js';
import { chunked, collect, pattern } from '../helpers/bytes.js';
import { NAMES, privatePem, publicPem, rsaPair, type Pair } from '../helpers/keys.js';
import {
  guideKey,
  PYTHON_SETUP_TIME,
  PythonBatch,
  type Major,
  type PythonJob,
  type PythonKey,
} from '../helpers/python.js';

const FRAME = 1024;
const SIZES = [0, 1, FRAME - 1, FRAME + 1, 5 * FRAME + 7];
/** Python before 4 refuses a final frame that is as long as the others ("Invalid final frame length"). */
const MULTIPLES = [FRAME, 2 * FRAME, 5 * FRAME];
const LARGEST = pattern(3 * 1024 * 1024 + 5);

/** Sorting by UTF-16 units would put the key (beyond the BMP) before the wave dash; UTF-8 puts it behind. */
export const CONTEXT = {
  用途: '研究データ（第3期）',
  'emoji 🗝️': '👩🏽‍🔬 🎉',
  '\u{1F511}': 'beyond the BMP',
  '\uFF5E': 'in the BMP, above the surrogates',
  'e\u0301': 'decomposed',
  '\u00E9': 'composed',
  'sealdrop:key': 'results/2026 春/a.csv',
  plain: 'x'.repeat(1000),
};

interface Version {
  major: Major;
  exactly: string;
  /** The policies that it has. */
  policies: readonly CommitmentPolicyName[];
}

/** The policy under which the AWS Encryption SDK writes a suite. */
const writingPolicy = ({ committing }: Suite): CommitmentPolicyName =>
  committing ? 'REQUIRE_ENCRYPT_REQUIRE_DECRYPT' : 'FORBID_ENCRYPT_ALLOW_DECRYPT';

const readsUnder = (suite: Suite, policy: CommitmentPolicyName) =>
  suite.committing || policy !== 'REQUIRE_ENCRYPT_REQUIRE_DECRYPT';

const label = (suite: Suite) => `${suiteIdText(suite.id)}${suite.signature ? ' (signed)' : ''}`;

interface SealOptions {
  suite: Suite;
  hash?: OaepHash;
  frameLength?: number;
  context?: Record<string, string>;
  keys?: readonly PythonKey[];
}

/** Our message, made as a user of the library makes it: from PEM. */
async function seal(pair: Pair, plaintext: Uint8Array, options: SealOptions): Promise<Buffer> {
  const { suite, hash, frameLength, context = {}, keys = [guideKey(pair)] } = options;
  const set = keys.map((key) => ({
    namespace: key.namespace,
    name: key.name,
    publicKey: publicPem(key.pair),
  }));
  const encryptor = await openEncryptor({
    publicKeys: [Buffer.from(JSON.stringify({ version: 1, keys: set }))],
    suite: suite.id,
    commitmentPolicy: writingPolicy(suite),
    oaepHash: hash,
    frameLength,
  });
  return collect(encryptor.encrypt(chunked(plaintext, 700), context));
}

/** Opens a message with the bare private key alone: no name, and no hash, which messages don't record. */
async function open(pair: Pair, message: Uint8Array): Promise<{ plaintext: Buffer; info: MessageInfo }> {
  const decryptor = await openDecryptor({
    privateKeys: [Buffer.from(privatePem(pair))],
    commitmentPolicy: 'REQUIRE_ENCRYPT_ALLOW_DECRYPT',
  });
  let info: MessageInfo | undefined;
  const plaintext = await collect(
    decryptor.decrypt(chunked(message, 900), { accept: (found) => void (info = found) }),
  );
  return { plaintext, info: info! };
}

/** The context's bytes in a message of version 2, unsigned: behind version, suite and message id. */
function contextBytes(message: Buffer): Buffer {
  const at = 1 + 2 + 32;
  return message.subarray(at, at + 2 + message.readUInt16BE(at));
}

const withoutSignature = (context: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(context).filter(([name]) => name !== 'aws-crypto-public-key'));

export function describeReading({ major, exactly, policies }: Version): void {
  describe(`the AWS Encryption SDK for Python ${exactly} opens what we write`, () => {
    const batch = new PythonBatch(major);
    const pair = rsaPair();
    const others = [1, 2].map((i) => ({ namespace: `ラボ${i}`, name: `鍵/${i} 🔑`, pair: rsaPair() }));
    const everybody = [guideKey(pair), ...others];
    const lenient = policies.find((policy) => policy !== 'REQUIRE_ENCRYPT_REQUIRE_DECRYPT')!;
    const job = (more: Partial<PythonJob> = {}): PythonJob => ({
      ...{ op: 'decrypt', policy: lenient, keys: [guideKey(pair)] },
      ...more,
    });
    const committing = allSuites().filter((suite) => suite.committing);
    const grid = allSuites().flatMap((suite) =>
      OAEP_HASHES.map((hash) => ({ suite, hash, label: label(suite) })),
    );
    const gridTickets: { plaintext: Buffer; ticket: number }[][] = [];
    const policyTickets = new Map<string, number>();
    const tickets: Record<string, number> = {};
    const recipientTickets: number[] = [];
    const multipleTickets: { plaintext: Buffer; ticket: number }[] = [];

    beforeAll(async () => {
      for (const { suite, hash } of grid) {
        const policy = policies.includes(writingPolicy(suite)) ? writingPolicy(suite) : lenient;
        const row = [];
        for (const size of SIZES) {
          const plaintext = pattern(size);
          const message = await seal(pair, plaintext, {
            suite,
            hash,
            frameLength: FRAME,
            context: { size: `${size}` },
          });
          row.push({ plaintext, ticket: batch.add(job({ policy, hash }), message) });
        }
        gridTickets.push(row);
      }
      for (const suite of allSuites()) {
        const message = await seal(pair, pattern(10), { suite });
        for (const policy of policies)
          policyTickets.set(`${suite.id} ${policy}`, batch.add(job({ policy }), message));
      }
      for (const suite of allSuites())
        for (const plaintext of MULTIPLES.map(pattern)) {
          const message = await seal(pair, plaintext, { suite, frameLength: FRAME });
          multipleTickets.push({ plaintext, ticket: batch.add(job(), message) });
        }
      for (const suite of committing) {
        const large = await seal(pair, LARGEST, { suite });
        tickets[`large ${suite.id}`] = batch.add(job(), large);
        tickets[`stream ${suite.id}`] = batch.add(job({ stream: true }), large);
        tickets[`unsigned ${suite.id}`] = batch.add(job({ stream: true, unsignedOnly: true }), large);
        const context = await seal(pair, pattern(10), { suite, context: CONTEXT });
        tickets[`context ${suite.id}`] = batch.add(job(), context);
      }
      const shared = await seal(pair, pattern(99), { suite: committing[0]!, keys: everybody });
      for (const key of everybody) recipientTickets.push(batch.add(job({ keys: [key] }), shared));
      tickets['too many'] = batch.add(job({ maxKeys: 2 }), shared);
      const stranger = { ...NAMES, pair: rsaPair() };
      tickets['stranger'] = batch.add(job({ keys: [stranger] }), shared);
      await batch.run();
    }, PYTHON_SETUP_TIME);

    it('in that very version', () => expect(batch.version).toBe(exactly));

    it.each(grid.map((row, i) => ({ ...row, i })))(
      `suite $label with OAEP $hash, of ${SIZES.join(', ')} bytes in frames of ${FRAME}`,
      ({ suite, i }) => {
        for (const { plaintext, ticket } of gridTickets[i]!) {
          expect(batch.output(ticket).equals(plaintext)).toBe(true);
          const result = batch.result(ticket);
          expect(result).toMatchObject({ suite: suite.id, frameLength: FRAME, wrappedKeys: 1 });
          expect(withoutSignature(result.ok ? result.context : {})).toEqual({ size: `${plaintext.length}` });
        }
      },
    );

    it(`every suite, of ${MULTIPLES.join(', ')} bytes in frames of ${FRAME}: multiples of the frame length`, () => {
      for (const { plaintext, ticket } of multipleTickets)
        expect(batch.output(ticket).equals(plaintext)).toBe(true);
    });

    it.each(policies.map((policy) => ({ policy })))(
      'under $policy exactly the suites that it allows',
      ({ policy }) => {
        for (const suite of allSuites()) {
          const result = batch.result(policyTickets.get(`${suite.id} ${policy}`)!);
          const verdict = { suite: label(suite), said: result.ok || result.error };
          expect(verdict).toEqual({
            suite: label(suite),
            said: readsUnder(suite, policy) || 'ActionNotAllowedError',
          });
        }
      },
    );

    it.each(committing.map((suite) => ({ suite, label: label(suite) })))(
      'several frames of our default length, at once and by its stream: $label',
      ({ suite }) => {
        for (const way of ['large', 'stream']) {
          expect(batch.output(tickets[`${way} ${suite.id}`]!).equals(LARGEST)).toBe(true);
          expect(batch.result(tickets[`${way} ${suite.id}`]!)).toMatchObject({ frameLength: 1024 * 1024 });
        }
      },
    );

    it('by its stream for unsigned messages our default suite, and not the signed one', () => {
      expect(batch.output(tickets[`unsigned ${0x0478}`]!).equals(LARGEST)).toBe(true);
      expect(batch.result(tickets[`unsigned ${0x0578}`]!)).toMatchObject({ error: 'ActionNotAllowedError' });
    });

    it('and finds the context as it was given: Japanese, emoji, characters beyond the BMP, composed and decomposed', () => {
      for (const suite of committing) {
        const result = batch.result(tickets[`context ${suite.id}`]!);
        expect(withoutSignature(result.ok ? result.context : {})).toEqual(CONTEXT);
      }
    });

    it('with the private key of any one recipient alone', () => {
      expect(recipientTickets).toHaveLength(3);
      for (const ticket of recipientTickets) {
        expect(batch.output(ticket).equals(pattern(99))).toBe(true);
        expect(batch.result(ticket)).toMatchObject({ wrappedKeys: 3 });
      }
    });

    it('and refuses it with another key of the same name, and where it allows fewer wrapped keys', () => {
      const message: unknown = expect.stringMatching(/unable to decrypt any|decryption failed/);
      expect(batch.result(tickets['stranger']!)).toMatchObject({ ok: false, message });
      expect(batch.result(tickets['too many']!)).toMatchObject({
        ok: false,
        error: 'MaxEncryptedDataKeysExceeded',
      });
    });
  });
}

const WAYS: { title: string; frameLength?: number; sizes: readonly number[] }[] = [
  { title: 'in its own default frames', sizes: [0, 1, 4095, 4096, 4097, 300_000] },
  { title: 'in frames of 1 MiB', frameLength: 1024 * 1024, sizes: [0, 1, 1024 * 1024, LARGEST.length] },
  { title: 'unframed', frameLength: 0, sizes: [0, 1, 4096, 300_000] },
];

export function describeWriting({ major, exactly, policies }: Version): void {
  describe(`we open what the AWS Encryption SDK for Python ${exactly} writes`, () => {
    const batch = new PythonBatch(major);
    const pair = rsaPair();
    const others = [1, 2].map((i) => ({ namespace: `ラボ${i}`, name: `鍵/${i} 🔑`, pair: rsaPair() }));
    const suites = allSuites().filter((suite) => policies.includes(writingPolicy(suite)));
    const job = (policy: CommitmentPolicyName, more: Partial<PythonJob> = {}): PythonJob => ({
      ...{ op: 'encrypt', policy, keys: [guideKey(pair)] },
      ...more,
    });
    const grid = suites.flatMap((suite) => OAEP_HASHES.map((hash) => ({ suite, hash, label: label(suite) })));
    const gridTickets: { plaintext: Buffer; ticket: number }[][] = [];
    // Its own default suite is signed; next to it the unsigned one, where it writes committing suites.
    const policy = policies.includes('REQUIRE_ENCRYPT_REQUIRE_DECRYPT') ? policies[0]! : policies.at(-1)!;
    const unsigned = suites.filter((suite) => !suite.signature && writingPolicy(suite) === policy).at(-1)!;
    const byDefault = suites.filter((suite) => suite.signature && writingPolicy(suite) === policy).at(-1)!;
    const ways = WAYS.flatMap((way) =>
      [byDefault, unsigned].flatMap((suite) =>
        [false, true].map((stream) => ({
          ...{ way, suite, stream, title: way.title },
          label: `${label(suite)}${stream ? ', by its stream' : ''}`,
        })),
      ),
    );
    const wayTickets: { plaintext: Buffer; ticket: number }[][] = [];
    const tickets: Record<string, number> = {};

    beforeAll(async () => {
      for (const { suite, hash } of grid) {
        const options = { hash, suite: suite.id, frameLength: FRAME };
        gridTickets.push(
          [...SIZES, ...MULTIPLES].map((size) => {
            const plaintext = pattern(size);
            const context = { size: `${size}` };
            return {
              plaintext,
              ticket: batch.add(job(writingPolicy(suite), { ...options, context }), plaintext),
            };
          }),
        );
      }
      for (const { way, suite, stream } of ways) {
        const chosen = suite === byDefault ? {} : { suite: suite.id };
        const options = { ...chosen, stream, frameLength: way.frameLength };
        wayTickets.push(
          way.sizes.map((size) => {
            const plaintext = LARGEST.subarray(0, size);
            return { plaintext, ticket: batch.add(job(policy, options), plaintext) };
          }),
        );
      }
      tickets['context'] = batch.add(job(policy, { context: CONTEXT }), pattern(10));
      tickets['unsigned'] = batch.add(job(policy, { context: CONTEXT, suite: unsigned.id }), pattern(10));
      tickets['shared'] = batch.add(job(policy, { keys: [guideKey(pair), ...others] }), pattern(99));
      await batch.run();
    }, PYTHON_SETUP_TIME);

    it('in that very version', () => expect(batch.version).toBe(exactly));

    it.each(grid.map((row, i) => ({ ...row, i })))(
      `suite $label with OAEP $hash, of ${[...SIZES, ...MULTIPLES].join(', ')} bytes in frames of ${FRAME}`,
      async ({ suite, i }) => {
        for (const { plaintext, ticket } of gridTickets[i]!) {
          const opened = await open(pair, batch.output(ticket));
          expect(opened.plaintext.equals(plaintext)).toBe(true);
          expect(opened.info).toMatchObject({
            suite: suite.name,
            frameLength: FRAME,
            committing: suite.committing,
          });
          expect(withoutSignature(opened.info.context)).toEqual({ size: `${plaintext.length}` });
        }
      },
    );

    it.each(ways.map((row, i) => ({ ...row, i })))('$title: $label', async ({ way, suite, i }) => {
      for (const { plaintext, ticket } of wayTickets[i]!) {
        const opened = await open(pair, batch.output(ticket));
        expect(opened.plaintext.equals(plaintext)).toBe(true);
        expect(opened.info).toMatchObject({ suite: suite.name, frameLength: way.frameLength ?? 4096 });
      }
    });

    it('and find the context as it was given: Japanese, emoji, characters beyond the BMP, composed and decomposed', async () => {
      for (const name of ['context', 'unsigned']) {
        const { info } = await open(pair, batch.output(tickets[name]!));
        expect(withoutSignature(info.context)).toEqual(CONTEXT);
      }
    });

    it('with the private key of any one recipient alone', async () => {
      const message = batch.output(tickets['shared']!);
      for (const one of [pair, ...others.map((key) => key.pair)]) {
        const { plaintext, info } = await open(one, message);
        expect(plaintext.equals(pattern(99))).toBe(true);
        // Python writes them in no order of its own.
        expect(info.wrappedKeys.map(({ name }) => name).sort()).toEqual(
          [NAMES, ...others].map(({ name }) => name).sort(),
        );
      }
    });

    const committing = unsigned.committing;
    it(`but ${committing ? 'uncommitted messages' : 'none of them'} by default: the policy has to be relaxed by name`, async () => {
      const decryptor = await openDecryptor({ privateKeys: [Buffer.from(privatePem(pair))] });
      const uncommitted = grid.findIndex(({ suite }) => !suite.committing);
      const message = batch.output(gridTickets[uncommitted]![1]!.ticket);
      await expect(collect(decryptor.decrypt(chunked(message, 900)))).rejects.toMatchObject({
        code: 'policy',
      });
    });

    if (committing)
      it('laying out the context byte for byte as we do', async () => {
        const ours = await seal(pair, pattern(10), { suite: unsigned, context: CONTEXT });
        expect(contextBytes(ours)).toEqual(contextBytes(batch.output(tickets['unsigned']!)));
      });
  });
}
