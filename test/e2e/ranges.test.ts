/** Parts of objects through the command, at real stores: what comes out, and how much was asked for it. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { pattern } from '../helpers/bytes.js';
import { documents, type Box } from '../helpers/cli.js';
import { newVault, type TestVault } from '../helpers/cli-vault.js';
import { startFaultProxy, type FaultProxy } from '../helpers/fault-proxy.js';
import { SETUP_TIME, startMinio, startVersitygw, type S3Server } from '../helpers/servers.js';
import { openObject, openRange } from '../../src/index.js';
import { collect } from '../helpers/bytes.js';

const MIB = 1024 * 1024;
const CONTENT = pattern(9 * MIB + 100);
const KEYS = ['--private-key', 'private_key.pem'];
const START = { minio: () => startMinio(), versitygw: () => startVersitygw(), directory: undefined };

describe.each(Object.entries(START))('%s', (_name, startServer) => {
  let server: S3Server | undefined;
  let proxy: FaultProxy | undefined;
  let vault: TestVault;
  let box: Box;
  let object: string;

  beforeAll(async () => {
    server = await startServer?.();
    vault = await newVault(server ? 's3' : 'directory', server!);
    box = vault.box;
    object = `${vault.address}/data/big.bin`;
    box.write('big.bin', CONTENT);
    box.write('small.txt', 'hello, world\n');
    for (const [file, key] of [
      ['big.bin', 'data/big.bin'],
      ['small.txt', 'small.txt'],
    ])
      expect(
        await box.run(['put', file!, `${vault.address}/${key}`, '--public-key', 'public_key.pem', '-q']),
      ).toMatchObject({ code: 0 });
    if (server) {
      proxy = await startFaultProxy(server.endpoint);
      box.env.AWS_ENDPOINT_URL_S3 = proxy.endpoint;
    }
  }, SETUP_TIME);
  afterAll(async () => {
    await proxy?.close();
    await server?.stop();
  });

  test.each([
    ['0-0', 0, 0],
    ['1048576-2097151', MIB, 2 * MIB - 1],
    ['3000000-4048575', 3_000_000, 4_048_575],
    [`${9 * MIB}-`, 9 * MIB, CONTENT.length - 1],
    ['-1048576', CONTENT.length - MIB, CONTENT.length - 1],
    ['-1', CONTENT.length - 1, CONTENT.length - 1],
    ['9000000-99999999', 9_000_000, CONTENT.length - 1],
  ])('cat --range %s: the part, by at most 3 requests and 3 MiB', async (range, first, last) => {
    proxy?.reset();
    const before = proxy?.transferred() ?? 0;
    const { code, stdout, stderr } = await box.run(['cat', object, ...KEYS, '--range', range]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.equals(CONTENT.subarray(first, last + 1))).toBe(true);
    if (!proxy) return;
    expect(proxy.requests.length).toBeLessThanOrEqual(range.startsWith('-') ? 3 : 2);
    expect(proxy.requests.every((request) => request.startsWith('GET '))).toBe(true);
    expect(proxy.transferred() - before).toBeLessThan(3 * MIB);
  });

  test('get --range writes a file, and says which bytes it has', async () => {
    const { code, stdout } = await box.run([
      ...['get', object, 'part.bin', ...KEYS, '--range', '100-1100', '--json'],
    ]);
    expect(code).toBe(0);
    expect(documents({ stdout })).toEqual([
      expect.objectContaining({ plaintextSize: 1001, range: { first: 100, last: 1100 }, bound: 'bound' }),
    ]);
    expect(box.read('part.bin').equals(CONTENT.subarray(100, 1101))).toBe(true);
    expect((await box.run(['get', object, 'part.bin', ...KEYS, '--range', '-10'])).stderr).toBe(
      `${object} -> part.bin (10 B, bytes ${CONTENT.length - 10} to ${CONTENT.length - 1})\n`,
    );
    expect(box.read('part.bin').equals(CONTENT.subarray(-10))).toBe(true);
  });

  test('what cannot be, and what is judged as for the whole', async () => {
    await box.transcript(`
      $ sealdrop cat {vault}/small.txt --private-key private_key.pem --range 7-11 && echo
      > world
      $ sealdrop cat {vault}/small.txt --private-key private_key.pem --range 13-20
      ! error: there is no such range: the content has 13 bytes
      ! hint: bytes are counted from 0, and first and last are both included
      [2]
      $ sealdrop get {vault}/small.txt part.txt --private-key private_key.pem --range 13-20
      ! error: there is no such range: the content has 13 bytes
      ! hint: bytes are counted from 0, and first and last are both included
      [2]
      $ ls part.txt 2>/dev/null
      [2]
      $ sealdrop cat {vault}/small.txt --private-key private_key.pem --range 0-1 --context project=x
      ! error: the message's context does not have project=x
      ! hint: sealdrop inspect shows the context that it has
      [5]
      $ sealdrop cat {vault}/small.txt --private-key other_private.pem --range 0-1 2>&1 | head -1
      > error: the message was encrypted to somebody else, or its header was altered
      $ sealdrop cat {vault}/nothing --private-key private_key.pem --range 0-1 2>/dev/null
      [3]
      $ sealdrop get {vault}/data x --private-key private_key.pem --range 0-1 2>&1 | grep hint
      > hint: it is a folder, with objects below it: sealdrop get -r takes them all
      $ sealdrop get -r {vault}/data x --private-key private_key.pem --range 0-1 2>&1 | head -1
      > error: option '--range <first-last>' cannot be used with option '-r, --recursive'
      $ sealdrop get {vault}/small.txt x --private-key private_key.pem --release-unverified
      ! error: --release-unverified is for a part: it needs --range
      [2]`);
  });

  test('an object in the place of another opens in no part', async () => {
    await vault.plant('swapped', await vault.stored('small.txt'));
    await vault.plant('empty', Buffer.alloc(0));
    await vault.plant('text', Buffer.from('no message at all'));
    await box.transcript(`
      $ sealdrop cat {vault}/swapped --private-key private_key.pem --range 0-1 2>&1 | head -1
      > error: the message was made for the key small.txt, not for swapped
      $ sealdrop cat {vault}/swapped --private-key private_key.pem --range 0-1 --moved && echo
      > he
      ! {vault}/swapped (made for the key small.txt)
      $ sealdrop cat {vault}/empty --private-key private_key.pem --range 0-1 2>&1 | head -1
      > error: this is not an encrypted message: it is empty
      $ sealdrop cat {vault}/text --private-key private_key.pem --range 0-1 2>&1 | head -1
      > error: this is not an encrypted message: it does not begin like one`);
  });

  test('an object that was cut off where a shorter message could end is truncated, and nothing comes', async () => {
    const whole = await vault.stored('data/big.bin');
    // By one frame of 1 MiB.
    await vault.plant('data/big.bin', whole.subarray(0, whole.length - MIB - 32));
    for (const range of ['-10', `${9 * MIB}-`, '8388608-']) {
      const { code, stdout, stderr } = await box.run(['cat', object, ...KEYS, '--range', range]);
      expect({ code, bytes: stdout.length }).toEqual({ code: 5, bytes: 0 });
      expect(stderr).toMatch(/^error: the object ends with frame 9, and the message does not/);
    }
    await vault.plant('data/big.bin', whole);
  });

  test('a damaged frame: nothing of it, and no file', async () => {
    const whole = await vault.stored('data/big.bin');
    const damaged = Buffer.from(whole);
    damaged[2 * MIB]! ^= 1;
    await vault.plant('data/big.bin', damaged);
    const { code, stderr } = await box.run(['get', object, 'damaged', ...KEYS, '--range', '1500000-1500100']);
    expect({ code, stderr }).toEqual({ code: 5, stderr: 'error: frame 2 of the message was altered\n' });
    expect(box.has('damaged')).toBe(false);
    expect((await box.run(['cat', object, ...KEYS, '--range', '5000000-5000099'])).stdout.length).toBe(100);
    await vault.plant('data/big.bin', whole);
  });

  test('one that is replaced between two requests says so', async () => {
    if (!proxy) return;
    const whole = await vault.stored('data/big.bin');
    proxy.reset();
    proxy.add({ url: 'big.bin', skip: 1, before: () => vault.plant('data/big.bin', whole.subarray(0, -1)) });
    const { code, stdout, stderr } = await box.run(['cat', object, ...KEYS, '--range', '5000000-5000099']);
    expect({ code, bytes: stdout.length }).toEqual({ code: 1, bytes: 0 });
    expect(stderr).toBe(
      `error: ${object} was replaced while it was read\nhint: the same command again reads what is there now\n`,
    );
    await vault.plant('data/big.bin', whole);
  });

  test('the library reads several parts of an object that was opened once', async () => {
    const settings = {
      source: object,
      privateKeys: [box.path('private_key.pem')],
      endpointUrl: server?.endpoint,
      region: server?.region,
    };
    Object.assign(process.env, server ? box.env : {}, { PATH: process.env.PATH, HOME: process.env.HOME });
    const opened = await openObject(settings);
    expect(opened).toMatchObject({ plaintextSize: CONTENT.length, bound: 'bound' });
    const parts = await Promise.all(
      [0, 3 * MIB - 5, 9 * MIB].map((first) => collect(opened.read({ first, last: first + 49 }))),
    );
    expect(Buffer.concat(parts)).toEqual(
      Buffer.concat([0, 3 * MIB - 5, 9 * MIB].map((at) => CONTENT.subarray(at, at + 50))),
    );
    opened.close();
    const one = await collect(openRange({ ...settings, range: { suffix: 3 } }));
    expect(one.equals(CONTENT.subarray(-3))).toBe(true);
  });
});
