/** A gateway's keys are rotated while it runs. */
import { renameSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { documents, secret, until } from '../helpers/cli.js';
import { newVault, OTHER, PAIR } from '../helpers/cli-vault.js';

test('new keys are read while files arrive; a set that is damaged for a while stops nothing', async () => {
  const { box, address, keys } = await newVault('directory', undefined as never);
  const write = (text: string) => {
    box.write('new.json', text);
    renameSync(box.path('new.json'), box.path('public.json'));
  };
  const set = (name: string, publicKey: string) =>
    write(JSON.stringify({ version: 1, keys: [{ namespace: 'lab', name, publicKey }] }));
  set('first', PAIR.publicKey);
  box.write('inbox/.keep', '');
  const serving = box.start(
    ['serve', '--inbox', 'inbox', '--vault', address, '--public-key', 'public.json'].concat(
      ...['--settle', '1', '--keys-ttl', '1', '--idempotency-key', 'idempotency.key'],
    ),
  );
  const said = () => Buffer.concat(errors).toString();
  const errors: Buffer[] = [];
  serving.child.stderr!.on('data', (piece: Buffer) => errors.push(piece));
  let over = false;
  let dropped = 0;
  const dropping = (async () => {
    while (!over) {
      box.write(`inbox/${dropped++}.txt`, 'hello');
      await sleep(100);
    }
  })();
  try {
    await until('the first is stored', async () => (await keys()).length > 0);
    write('{"version":1,"keys":[');
    await until('it says so', () => said().includes('the keys could not be read again'));
    const before = (await keys()).length;
    await until('more is stored', async () => (await keys()).length > before + 5);
    set('second', OTHER.publicKey);
    await until('it says so', () => said().split('encrypting to ').length === 3);
    const then = dropped;
    await until('a later one is stored', async () => (await keys()).includes(`${then + 5}.txt`));
  } finally {
    over = true;
    await dropping;
  }
  await until('all are stored', async () => (await keys()).length === dropped);
  serving.child.kill('SIGINT');
  expect(await serving.result).toMatchObject({ code: 0 });
  expect(said().match(/could not be read again/g)).toHaveLength(1);
  expect(said()).not.toContain('error:');
  const named = [];
  for (let number = 0; number < dropped; number++) {
    const inspected = documents(await box.run(['inspect', `${address}/${number}.txt`, '--json']));
    const [{ wrappedKeys }] = inspected as unknown as [{ wrappedKeys: { name: string }[] }];
    expect(wrappedKeys).toHaveLength(1);
    named.push(wrappedKeys[0]!.name);
  }
  expect(named[0]).toBe('first');
  expect(named.at(-1)).toBe('second');
  for (const [number, key] of [
    [0, 'private_key.pem'],
    [dropped - 1, 'other_private.pem'],
  ]) {
    const got = await box.run(['get', `${address}/${number}.txt`, '-', '-q', '--private-key', String(key)]);
    expect(got.stdout.toString()).toBe('hello');
  }
}, 180_000);

test('a raw AES key is refused: a gateway that wraps with it could unwrap', async () => {
  const { box, address } = await newVault('directory', undefined as never);
  const key = secret('a raw AES key', Buffer.alloc(32, 7).toString('base64'));
  const aes = { namespace: 'lab', name: 'shared', secretKey: key };
  box.write('aes.json', JSON.stringify({ version: 1, keys: [aes] }));
  box.write('inbox/a', 'x');
  for (const option of ['--key-set', '--recipient']) {
    const start = ['serve', '--once', '--inbox', 'inbox', '--vault', address, option, 'aes.json'];
    const { code, stderr } = await box.run([...start, '--settle', '1']);
    expect([code, stderr]).toEqual([2, expect.stringContaining('lab/shared is a raw AES key')]);
  }
});
