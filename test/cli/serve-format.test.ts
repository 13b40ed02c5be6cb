/** What a local gateway writes, as an option or the vault's configuration says. */
import { chmodSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { documents, type Box } from '../helpers/cli.js';
import { newVault } from '../helpers/cli-vault.js';
import { SETUP_TIME, startMinio, type S3Server } from '../helpers/servers.js';

let server: S3Server;
beforeAll(async () => {
  server = await startMinio();
}, SETUP_TIME);
afterAll(async () => server?.stop());

const KEYS = ['--public-key', 'public_key.pem', '--idempotency-key', 'idempotency.key'];

async function gateway() {
  const vault = await newVault('s3', server);
  vault.box.write('inbox/a.txt', 'hello');
  const serve = (to: string, ...options: string[]) =>
    vault.box.run([
      'serve',
      '--once',
      '--settle',
      '1',
      '--inbox',
      'inbox',
      '--vault',
      to,
      ...KEYS,
      ...options,
    ]);
  return { ...vault, serve };
}

async function formatOf(box: Box, address: string): Promise<unknown> {
  const [info] = documents(await box.run(['inspect', address, '--json']));
  return `${String(info!.format)} ${String(info!.version)}`;
}

test.each([
  ['s3ec', 's3ec 3', []],
  ['s3ec-v2', 's3ec 2', ['--commitment-policy', 'REQUIRE_ENCRYPT_ALLOW_DECRYPT']],
])(
  '--format %s: files are stored so, and the line that is printed gets them back',
  async (format, is, more) => {
    const { box, address, serve } = await gateway();
    const { code, stderr } = await serve(address, '--format', format);
    expect([code, stderr]).toEqual([0, expect.stringContaining('1 stored')]);
    expect(await formatOf(box, `${address}/a.txt`)).toBe(is);
    const [, line] = /get it back: node \S+ (.*)/.exec(stderr)!;
    const words = line!.replace('PRIVATE_KEY.pem', 'private_key.pem').split(' ');
    expect(words.slice(5)).toEqual(more);
    expect(await box.run(words)).toMatchObject({ code: 0 });
    expect(box.read('a.txt').toString()).toBe('hello');
  },
);

test('after another format was chosen files that are there are stored again', async () => {
  const { box, address, serve } = await gateway();
  for (const [format, is] of [
    ['s3ec-v2', 's3ec 2'],
    ['s3ec', 's3ec 3'],
    ['esdk', 'esdk 2'],
  ] as const) {
    expect((await serve(address, '--format', format)).stderr).toContain('1 stored, 0 there already');
    expect(await formatOf(box, `${address}/a.txt`)).toBe(is);
    expect((await serve(address, '--format', format)).stderr).toContain('0 stored, 1 there already');
  }
});

test('the format of a configured vault; an option goes before it', async () => {
  const { box, address, serve } = await gateway();
  const lab = { address, format: 's3ec', binding: 'allow' };
  box.write('config.json', JSON.stringify({ vaults: { lab } }));
  expect(await serve('lab:one', '--config', 'config.json')).toMatchObject({ code: 0 });
  expect(await formatOf(box, `${address}/one/a.txt`)).toBe('s3ec 3');
  expect(await serve('lab:two', '--config', 'config.json', '--format', 'esdk')).toMatchObject({ code: 0 });
  expect(await formatOf(box, `${address}/two/a.txt`)).toBe('esdk 2');
});

test('a vault whose readers would refuse it is refused at the start', async () => {
  const { box, address, keys, serve } = await gateway();
  box.write('config.json', JSON.stringify({ vaults: { lab: { address } } }));
  const { code, stderr } = await serve('lab:', '--config', 'config.json', '--format', 's3ec');
  expect([code, stderr]).toEqual([2, expect.stringContaining('takes only objects that name their keys')]);
  expect(stderr).toContain('"binding": "allow"');
  expect(await keys()).toEqual([]);
});

test('a directory that is made a vault for it takes it, one that was made before does not', async () => {
  const { box, serve } = await gateway();
  box.write('b.txt', 'x');
  expect(await serve('file://' + box.path('new'), '--format', 's3ec')).toMatchObject({ code: 0 });
  expect(await formatOf(box, `file://${box.path('new/a.txt')}`)).toBe('s3ec 3');
  const put = ['put', 'b.txt', `file://${box.path('old/')}`, '--public-key', 'public_key.pem'];
  expect(await box.run(put)).toMatchObject({ code: 0 });
  const { code, stderr } = await serve(`file://${box.path('old')}`, '--format', 's3ec');
  expect([code, stderr]).toEqual([2, expect.stringContaining('takes only objects that name their keys')]);
  expect(box.has('old/a.txt')).toBe(false);
});

test('two keys are refused before anything is stored', async () => {
  const { address, keys, serve } = await gateway();
  const { code, stderr } = await serve(address, '--format', 's3ec', '--public-key', 'other_public.pem');
  expect([code, stderr]).toEqual([2, expect.stringContaining('goes to one key, these are 2')]);
  expect(await keys()).toEqual([]);
});

test('nothing is stored unencrypted, and an API that decrypts is for esdk', async () => {
  const { box, address, keys, serve } = await gateway();
  const plain = await serve(address, '--format', 'plain');
  expect([plain.code, plain.stderr]).toEqual([2, expect.stringContaining('esdk, s3ec, s3ec-v2')]);
  box.write('tokens', `in/ ${'0'.repeat(64)}\n`);
  chmodSync(box.path('tokens'), 0o600);
  const listen = ['serve', '--listen', '127.0.0.1:0', '--token-file', 'tokens', '--vault', address, ...KEYS];
  const decrypt = ['--decrypt-with', 'private_key.pem', '--decrypt-prefix', 'in/'];
  const { code, stderr } = await box.run([...listen, ...decrypt, '--format', 's3ec']);
  expect([code, stderr]).toEqual([2, expect.stringContaining('--decrypt-with is for --format esdk')]);
  expect(await keys()).toEqual([]);
});
