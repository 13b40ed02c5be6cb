/** Whom `rewrap`, `cp` and `mv` make objects for: retired keys, keys of KMS, and what is said of the binding. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { documents, secret, type Box } from '../helpers/cli.js';
import { newVault, PAIR, type TestVault } from '../helpers/cli-vault.js';
import { keyArn, refusal, startFakeKms, type FakeKms } from '../helpers/fake-kms.js';
import { oracleEncrypt } from '../helpers/oracle.js';

const today = new Date().toISOString().slice(0, 10);

let vault: TestVault;
let box: Box;
beforeEach(async () => {
  vault = await newVault('directory', undefined as never);
  ({ box } = vault);
  box.names.today = today;
  box.write('a.txt', 'hi\n');
});

describe('after a rotation', () => {
  // Two sets of two owners, the first of which is rotated; an object for each's first key.
  beforeEach(async () => {
    const { code, stderr } = await box.shell(`
      set -e
      sealdrop keys import private_key.pem --key-name own --key-set keys.json -q
      sealdrop keys import other_private.pem --key-name guest --key-set guest.json -q
      sealdrop keys export-public --key-set guest.json --out guest_public.json -q
      sealdrop put a.txt ${vault.address}/own.txt --key-set keys.json -q
      sealdrop put a.txt ${vault.address}/both.txt --key-set keys.json --recipient guest_public.json --recipient public_key.pem --key-name own -q
      sealdrop keys rotate --key-set keys.json -q`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  }, 60_000);

  test('the retired key is known: nothing is wrapped to it again, and it is taken away by its name', async () => {
    await box.transcript(`
      $ sealdrop rewrap {vault}/own.txt --to guest_public.json --add --key-set keys.json
      ! error: the object is for MyAppKeys/own, which is retired: nothing new is
      ! hint: name all that it shall be for with --to alone, or take the retired key away first: --remove
      [2]
      $ sealdrop rewrap {vault}/both.txt --to guest_public.json --remove --key-set keys.json
      ! error: the object is for MyAppKeys/own, which is retired: nothing new is
      ! hint: name all that it shall be for with --to alone, or take the retired key away first: --remove
      [2]
      $ sealdrop keys export-public own --key-set keys.json --out old.json
      ! wrote MyAppKeys/own to old.json
      $ sealdrop put a.txt {vault}/c.txt --public-key old.json
      ! error: old.json has no active key
      [2]
      $ sealdrop rewrap {vault}/both.txt --to old.json --remove --public-key guest_public.json --private-key guest.json
      ! rewrapped: {vault}/both.txt (3 B)
      ! this does not revoke: older versions, backups and headers that were saved before still open with the old key
      $ sealdrop rewrap {vault}/both.txt --to keys.json --add --public-key guest_public.json --private-key guest.json
      ! rewrapped: {vault}/both.txt (3 B)
      $ sealdrop inspect {vault}/both.txt | grep wrapped
      >   wrapped to    MyAppKeys/own-{today}
      >   wrapped to    MyAppKeys/guest
      $ sealdrop rewrap {vault}/own.txt --to keys.json --private-key keys.json
      ! rewrapped: {vault}/own.txt (3 B)
      ! this does not revoke: older versions, backups and headers that were saved before still open with the old key
      $ sealdrop inspect {vault}/own.txt | grep wrapped
      >   wrapped to    MyAppKeys/own-{today}
    `);
  }, 60_000);
});

describe('a KMS key whose policy wants the context of the object', () => {
  const KEY = keyArn('mine');
  let kms: FakeKms;
  let env: Record<string, string>;
  beforeAll(async () => {
    kms = await startFakeKms();
  });
  afterAll(() => kms.stop());
  beforeEach(() => {
    kms.reset();
    kms.answer = ({ context }) =>
      context['sealdrop:key']?.startsWith('lab/') === true
        ? undefined
        : refusal('AccessDeniedException', 'not by its key policy');
    env = {
      AWS_ENDPOINT_URL_KMS: kms.endpoint,
      AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
      AWS_SECRET_ACCESS_KEY: secret('the secret key', 'kms-secret-access-key'),
    };
  });
  const run = async (line: string) => {
    const result = await box.shell(line.replaceAll('{vault}', vault.address), { env });
    const said = result.stderr.replace(/^this does not revoke: .*\n|^\d older version.* removed\n/gm, '');
    expect({ line, code: result.code, said }).toEqual({ line, code: 0, said: '' });
    return documents(result);
  };
  const to = `--private-key private_key.pem --private-key kms:${KEY} --json`;

  test('opens what is made for it: of one object, of a tree, of a copy, and of what is bound anew', async () => {
    await run('sealdrop put a.txt {vault}/lab/a.txt --public-key public_key.pem --json');
    await run('sealdrop put a.txt {vault}/lab/b.txt --public-key public_key.pem --json');
    expect(await run(`sealdrop rewrap {vault}/lab/a.txt --to kms:${KEY} ${to}`)).toMatchObject([
      { outcome: 'done', verified: 'opened', bound: 'bound' },
    ]);
    const tree = `sealdrop rewrap -r {vault}/lab/ --to kms:${KEY} --again --delete-versions --yes ${to}`;
    expect(await run(tree)).toMatchObject([
      { outcome: 'done', verified: 'opened' },
      { outcome: 'done', verified: 'opened' },
      { summary: { done: 2, failed: 0 } },
    ]);
    const added = `sealdrop rewrap {vault}/lab/a.txt --to other_public.pem --key-name guest --add --public-key kms:${KEY} ${to}`;
    expect(await run(added)).toMatchObject([{ outcome: 'done', verified: 'opened' }]);
    expect(
      await run(`sealdrop cp {vault}/lab/a.txt {vault}/lab/c.txt --public-key kms:${KEY} ${to}`),
    ).toMatchObject([{ outcome: 'copied', verified: 'opened' }]);
    await box.shell('mkdir vault/lab/new && mv vault/lab/c.txt vault/lab/new/');
    const rebound = `sealdrop rewrap -r {vault}/lab/new/ --rebind lab/ --to kms:${KEY} ${to}`;
    expect(await run(rebound)).toMatchObject([
      { outcome: 'done', verified: 'opened' },
      { summary: { done: 1 } },
    ]);
    expect(kms.calls.every(({ context }) => context['sealdrop:key']?.startsWith('lab/'))).toBe(true);
  }, 60_000);

  test('is refused where no credentials are, with the option that names some', async () => {
    env = { AWS_ENDPOINT_URL_KMS: kms.endpoint };
    const { code, stderr } = await box.shell(
      `sealdrop put a.txt ${vault.address}/lab/a.txt --public-key kms:${KEY}`,
      { env },
    );
    expect({ code, stderr }).toMatchObject({
      code: 4,
      stderr: expect.stringContaining(' --key-profile NAME'),
    });
    expect((await box.run(['put', '--help'])).stdout.toString()).toContain(' --key-profile ');
  });
});

test('that a message names no key is said, as by get', async () => {
  const pair = { publicKey: createPublicKey(PAIR.publicKey), privateKey: createPrivateKey(PAIR.privateKey) };
  box.write('free/.sealdrop-vault', '{"version":1,"binding":"allow"}\n');
  box.write('free/x', await oracleEncrypt(pair, Buffer.from('hi')));
  box.names.keys = '--private-key private_key.pem --private-key other_private.pem';
  await box.transcript(`
    $ sealdrop rewrap file://{dir}/free/x --to other_public.pem {keys}
    ! rewrapped: file://{dir}/free/x (2 B)
    ! warning: the message names no key, so the store could have put another in its place
    ! this does not revoke: older versions, backups and headers that were saved before still open with the old key
    $ sealdrop rewrap -r file://{dir}/free/ --to public_key.pem {keys}
    ! 1 file rewrapped (2 B), 1 of them name no key, so the store could have put others in their place
    ! this does not revoke: older versions, backups and headers that were saved before still open with the old key
    $ sealdrop rewrap file://{dir}/free/x --to public_key.pem {keys} --json
    > {"outcome":"present","address":"file://{dir}/free/x","key":"x","plaintextSize":2,"bound":"unbound"}
    ! warning: the message names no key, so the store could have put another in its place
  `);
}, 60_000);
