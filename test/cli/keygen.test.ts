import { describe, expect, test } from '@jest/globals';
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Box, documents, secret } from '../helpers/cli.js';

const PASSPHRASE = secret('the passphrase', 'correct horse battery staple');
const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

/** What openssl says of the public key: SHA-256 of the SPKI DER, base64url. */
async function fingerprintByOpenssl(box: Box, file: string): Promise<string> {
  const digest = 'openssl dgst -sha256 -binary | openssl base64 -A';
  const { stdout } = await box.shell(`openssl pkey -pubin -in ${file} -outform DER | ${digest}`);
  return stdout.toString().replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

describe('a new pair', () => {
  const box = new Box();

  test('is said, and what each half is for', () =>
    box.transcript(`
      $ sealdrop keygen
      ! private_key.pem  opens everything: keep it, and a copy, where nothing is encrypted
      ! public_key.pem   encrypts, and may go anywhere
      ! fingerprint {fingerprint}
    `));

  test('is two files, the private one for its owner alone, and nothing else', () => {
    expect(box.files()).toEqual(['private_key.pem', 'public_key.pem']);
    expect([modeOf(box.path('private_key.pem')), modeOf(box.path('public_key.pem'))]).toEqual(['600', '644']);
  });

  test('is PKCS#8 and SPKI of 4,096 bits, by openssl', async () => {
    expect(box.read('private_key.pem').toString()).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
    expect(box.read('public_key.pem').toString()).toMatch(/^-----BEGIN PUBLIC KEY-----\n/);
    const { stdout } = await box.shell('openssl pkey -in private_key.pem -noout -text | head -1');
    expect(stdout.toString()).toContain('4096 bit');
    const { stdout: derived } = await box.shell('openssl pkey -in private_key.pem -pubout');
    expect(derived).toEqual(box.read('public_key.pem'));
  });

  test('is never replaced: both files stay as they are', async () => {
    const before = [box.read('private_key.pem'), box.read('public_key.pem')];
    await box.transcript(`
      $ sealdrop keygen
      ! error: private_key.pem is there already
      ! hint: a key that is gone opens nothing any more, so none is replaced: name another directory
      [1]
      $ mkdir half && cp public_key.pem half && sealdrop keygen half
      ! error: half/public_key.pem is there already
      ! hint: a key that is gone opens nothing any more, so none is replaced: name another directory
      [1]
    `);
    expect([box.read('private_key.pem'), box.read('public_key.pem')]).toEqual(before);
    expect(box.files('half')).toEqual(['public_key.pem']);
    expect(box.read('half/public_key.pem')).toEqual(before[1]);
  });
});

test('--json names the files and the fingerprint, which is openssl’s', async () => {
  const box = new Box();
  mkdirSync(box.path('keys'));
  const result = await box.run(['keygen', 'keys', '--json']);
  expect(result).toMatchObject({ code: 0, stderr: '' });
  expect(documents(result)).toEqual([
    {
      privateKey: 'keys/private_key.pem',
      publicKey: 'keys/public_key.pem',
      fingerprint: await fingerprintByOpenssl(box, 'keys/public_key.pem'),
      locked: false,
    },
  ]);
});

test('--quiet says nothing', async () => {
  const { code, stdout, stderr } = await new Box().run(['keygen', '-q']);
  expect({ code, stdout: stdout.toString(), stderr }).toEqual({ code: 0, stdout: '', stderr: '' });
});

describe('a passphrase', () => {
  test('from a file locks the private key: openssl opens it with that and not without', async () => {
    const box = new Box();
    box.write('phrase', `${PASSPHRASE}\nnot this line\n`);
    const result = await box.run(['keygen', '--passphrase-file', 'phrase', '--json']);
    expect(documents(result)).toMatchObject([{ locked: true }]);
    expect(box.read('private_key.pem').toString()).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/);
    expect(modeOf(box.path('private_key.pem'))).toBe('600');
    const open = (from: string) => box.shell(`openssl pkey -in private_key.pem -passin ${from} -pubout`);
    expect((await open(`'pass:${PASSPHRASE}'`)).stdout).toEqual(box.read('public_key.pem'));
    expect((await open('pass:other')).code).not.toBe(0);
  });

  test('from a file descriptor locks it, and opens what was encrypted to it', async () => {
    const box = new Box();
    box.write('phrase', `${PASSPHRASE}\n`);
    box.write('a.txt', 'hi\n');
    await box.transcript(`
      $ sealdrop keygen . --passphrase-fd 3 -q 3< phrase
      $ head -1 private_key.pem
      > -----BEGIN ENCRYPTED PRIVATE KEY-----
      $ sealdrop put a.txt file://{dir}/vault/ --public-key public_key.pem -q
      $ sealdrop cat file://{dir}/vault/a.txt --private-key private_key.pem --passphrase-fd 3 3< phrase
      > hi
      $ sealdrop cat file://{dir}/vault/a.txt --private-key private_key.pem --passphrase-fd 3 --passphrase-file phrase 3< phrase
      ! error: option '--passphrase-fd <n>' cannot be used with option '--passphrase-file <file>'
      ! hint: see: sealdrop cat --help
      [2]
      $ sealdrop keygen other --sse-c --passphrase-fd 3 3< phrase
      ! error: option '--sse-c [file]' cannot be used with option '--passphrase-fd <n>'
      ! hint: see: sealdrop keygen --help
      [2]
    `);
  }, 60_000);

  test('is asked for twice at a terminal, and not shown', async () => {
    const box = new Box();
    const { code, screen } = await box.terminal(
      ['keygen', '--passphrase'],
      [
        { wait: 'passphrase of the new private key: ', send: `${PASSPHRASE}\r` },
        { wait: 'the same again: ', send: `${PASSPHRASE}\r` },
      ],
    );
    expect(code).toBe(0);
    expect(screen).not.toContain(PASSPHRASE);
    const { code: opened } = await box.shell(
      `openssl pkey -in private_key.pem -passin 'pass:${PASSPHRASE}' -noout`,
    );
    expect(opened).toBe(0);
    box.write('data', 'hello');
    const sealed = await box.run(['put', 'data', '-', '--public-key', 'public_key.pem', '-q']);
    box.write('message', sealed.stdout);
    const got = await box.terminal(
      ['cat', 'message', '-q', '--private-key', 'private_key.pem'],
      [{ wait: 'passphrase of private_key.pem: ', send: `${PASSPHRASE}\r` }],
    );
    expect(got).toEqual({ code: 0, screen: 'passphrase of private_key.pem: \r\nhello' });
  });

  test.each([
    [
      'typed differently',
      [
        { wait: ': ', send: 'one\r' },
        { wait: 'again: ', send: 'two\r' },
      ],
      'the two passphrases differ',
    ],
    ['typed empty', [{ wait: ': ', send: '\r' }], 'the passphrase is empty'],
  ])('%s makes no key', async (_how, steps, message) => {
    const box = new Box();
    const { code, screen } = await box.terminal(['keygen', '--passphrase'], steps);
    expect(code).toBe(2);
    expect(screen).toContain(`error: ${message}\r\n`);
    expect(box.files()).toEqual([]);
  });

  test('interrupted while it is typed makes no key', async () => {
    const box = new Box();
    for (const step of [{ send: 'half\u0003' }, { signal: 'SIGTERM' as const }]) {
      const { code, screen } = await box.terminal(['keygen', '--passphrase'], [{ wait: ': ', ...step }]);
      expect({ code, screen }).toEqual({
        code: 130,
        screen: 'passphrase of the new private key: \r\nerror: interrupted\r\n',
      });
    }
    expect(box.files()).toEqual([]);
  });

  test('that can’t be had makes no key', async () => {
    const box = new Box();
    box.write('empty', '');
    await box.transcript(`
      $ sealdrop keygen --passphrase
      ! error: there is no terminal to type the passphrase at
      ! hint: name a file that holds it: --passphrase-file FILE
      [2]
      $ sealdrop keygen --passphrase-file missing
      ! error: cannot read the passphrase file missing
      ! hint: it holds the passphrase in its first line
      [3]
      $ sealdrop keygen --passphrase-file empty
      ! error: the passphrase is empty
      [2]
    `);
    expect(box.files()).toEqual(['empty']);
  });
});

test('the directory is made where it is missing, for its owner alone', async () => {
  const box = new Box();
  const { code } = await box.run(['keygen', 'new/keys']);
  expect(code).toBe(0);
  expect(box.files()).toEqual(['new/keys/private_key.pem', 'new/keys/public_key.pem']);
  expect(statSync(box.path('new/keys')).mode & 0o777).toBe(0o700);
});

test('where no key may be made: a file, a vault', async () => {
  const box = new Box();
  box.write('file', '');
  box.write('vault/.sealdrop-vault', '{"version":1,"binding":"required"}');
  await box.transcript(`
    $ sealdrop keygen file
    ! error: cannot make the directory file
    ! hint: a file is in its way, or you may not write there: name another directory
    [1]
    $ sealdrop keygen vault
    ! error: vault lies in the vault {dir}/vault
    ! hint: a vault is for ciphertext alone: name a target outside of it
    [2]
  `);
  expect(box.files()).toEqual(['file', 'vault/.sealdrop-vault']);
});

test.each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)(
  '%s while keys are made leaves both or none',
  async (signal) => {
    for (const wait of [60, 120, 200, 300, 500, 800]) {
      const box = new Box();
      const running = box.start(['keygen']);
      await sleep(wait);
      running.child.kill(signal);
      const { code } = await running.result;
      const files = box.files().filter((name) => !name.endsWith('.sealdrop-part'));
      if (code === 0) expect(files).toEqual(['private_key.pem', 'public_key.pem']);
      else expect(['', 'private_key.pem']).toContain(files.join());
      // Never a public key without its private one, and never half of either.
      for (const name of files) expect(box.read(name).toString()).toMatch(/-----END P[A-Z]+ KEY-----\n$/);
    }
  },
);

test('the pair of the ABCI guide, made by openssl as printed there, works unchanged', async () => {
  const box = new Box();
  await box.shell('openssl genpkey -algorithm RSA -out private_key.pem -pkeyopt rsa_keygen_bits:4096');
  await box.shell('openssl rsa -pubout -in private_key.pem -out public_key.pem');
  box.write('example.txt', 'This is example for CSE!\n');
  await box.transcript(`
    $ sealdrop put example.txt file://{dir}/vault/ --public-key public_key.pem
    ! made a new vault: file://{dir}/vault/
    ! example.txt -> file://{dir}/vault/example.txt (25 B)
    $ sealdrop cat file://{dir}/vault/example.txt --private-key private_key.pem
    > This is example for CSE!
  `);
});

test.each<[string, 'pkcs8' | 'pkcs1', 'pem' | 'der']>([
  ['PKCS#8 PEM', 'pkcs8', 'pem'],
  ['PKCS#8 DER', 'pkcs8', 'der'],
  ['PKCS#1 PEM', 'pkcs1', 'pem'],
  ['PKCS#1 DER', 'pkcs1', 'der'],
])('keys in %s open, and their public halves encrypt', async (_form, type, format) => {
  const box = new Box();
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const half = type === 'pkcs8' ? 'spki' : 'pkcs1';
  box.write('private.key', privateKey.export({ type, format } as { type: 'pkcs8'; format: 'pem' }));
  box.write('public.key', publicKey.export({ type: half, format } as { type: 'spki'; format: 'pem' }));
  await box.transcript(`
    $ echo hello | sealdrop put - - -q --public-key public.key | sealdrop cat - -q --private-key private.key
    > hello
  `);
});
