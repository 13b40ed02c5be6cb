/** Configurations as their users meet them: made by `init`, approved by `trust`, used by name. */
import { expect, test } from '@jest/globals';
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Box, documents } from '../helpers/cli.js';
import { addKeys } from '../helpers/cli-vault.js';

function box(): Box {
  const made = new Box();
  addKeys(made);
  made.write('a.txt', 'hi\n');
  return made;
}

const INIT =
  'sealdrop init --vault-name lab --address file://{dir}/vault --public-key public_key.pem --private-key private_key.pem';

test('init writes it, and then a name stands for the vault and its keys', async () => {
  const here = box();
  await here.transcript(`
    $ ${INIT}
    ! wrote sealdrop.config.json: lab:key is a key in file://{dir}/vault
    ! see whether all is well: sealdrop doctor lab:
    $ sealdrop put a.txt lab:data/
    ! made a new vault: file://{dir}/vault/
    ! a.txt -> file://{dir}/vault/data/a.txt (3 B)
    $ sealdrop ls lab:da
    > {time}            442 data/a.txt
    $ sealdrop cat lab:data/a.txt
    > hi
    $ sealdrop get lab:data/a.txt b.txt
    ! lab:data/a.txt -> b.txt (3 B)
    $ sealdrop inspect lab:data/a.txt --json | grep -o '"origin":"[a-z]*"'
    > "origin":"sealdrop"
    $ sealdrop rm lab:data/a.txt
    ! removed file://{dir}/vault/data/a.txt
    # Not over one.
    $ ${INIT}
    ! error: sealdrop.config.json is there already
    ! hint: change it by hand (docs/config.md), and then: sealdrop trust
    [1]
  `);
  expect(statSync(here.path('sealdrop.config.json')).mode & 0o777).toBe(0o600);
  expect(statSync(join(here.home, '.config/sealdrop/trusted.json')).mode & 0o777).toBe(0o600);
}, 60_000);

test('keys are listed as they are named behind the colon', async () => {
  const here = box();
  await here.transcript(`
    $ sealdrop put a.txt file://{dir}/vault/other --public-key public_key.pem --quiet
    $ sealdrop init --vault-name lab --address file://{dir}/vault/in/2026/ --public-key public_key.pem --quiet
    $ sealdrop put a.txt lab:data/x --quiet
    $ sealdrop ls lab:
    > {time}            446 data/x
    $ sealdrop ls lab:da
    > {time}            446 data/x
    $ sealdrop ls lab:data/ --json | grep -o '"key":"[^"]*"'
    > "key":"in/2026/data/x"
    $ sealdrop ls file://{dir}/vault
    > {time}            446 in/2026/data/x
    > {time}            437 other
  `);
}, 60_000);

test('init refuses keys that are not there, or none', async () => {
  const here = box();
  await here.transcript(`
    $ sealdrop init --vault-name lab --address file://{dir}/vault --public-key public.pem
    ! error: there is no key file public.pem
    ! hint: make a pair with: sealdrop keygen
    [3]
    $ sealdrop init --vault-name lab --address file://{dir}/vault --public-key a.txt
    ! error: a.txt is damaged or no public key
    ! hint: a file that begins with "-----BEGIN PUBLIC KEY-----" is meant
    [2]
    $ sealdrop init --vault-name lab --address file://{dir}/vault --private-key private.pem
    ! error: there is no key file private.pem
    [3]
    $ test ! -e sealdrop.config.json
  `);
}, 60_000);

test('a name that no vault has, and keys that lead out of one', async () => {
  const here = box();
  await here.transcript(`
    $ ${INIT} --quiet
    $ sealdrop ls other:x
    ! error: there is no vault named other
    ! hint: configured: lab; a file of that name is written ./other:x
    [2]
    $ sealdrop put a.txt lab:../x
    ! error: ../x cannot be a key in a vault: it has a segment ".."
    [2]
    $ sealdrop put a.txt lab:/x
    ! error: /x cannot be a key in a vault: it begins with a slash
    [2]
    $ sealdrop put a.txt - > ./lab:x
    ! a.txt -> standard output (3 B)
    $ sealdrop cat ./lab:x
    > hi
    ! ./lab:x (unbound: the message names no key, so the store could have put another in its place)
  `);
}, 60_000);

test('one that somebody else brought is not used until it is trusted; nor is a changed one', async () => {
  const here = box();
  here.write(
    'sealdrop.config.json',
    JSON.stringify({ vaults: { lab: { address: `file://${here.path('vault')}` } } }),
  );
  here.write('bare.encrypted', 'x');
  await here.transcript(`
    $ sealdrop put a.txt lab:a --public-key public_key.pem
    ! warning: sealdrop.config.json here is not used: it is not known whether it can be trusted
    ! hint: look at what it says, and then: sealdrop trust
    ! error: there is no vault named lab
    ! hint: no configuration that is used here names any: sealdrop init makes one, and sealdrop trust approves one of this directory; a file of that name is written ./lab:a
    [2]
    $ sealdrop trust
    > {dir}/sealdrop.config.json is trusted. It sets:
    >   vault lab      file://{dir}/vault
    $ sealdrop put a.txt lab:a --public-key public_key.pem --quiet
    $ sed -i s/vault/fault/ sealdrop.config.json
    $ sealdrop ls lab: 2>&1 | head -1
    > warning: sealdrop.config.json here is not used: it has changed since it was trusted
    # Named, it is used.
    $ sed -i s/fault/vault/ sealdrop.config.json
    $ mv sealdrop.config.json mine.json
    $ sealdrop ls lab: --config mine.json
    > {time}            433 a
    $ SEALDROP_CONFIG=mine.json sealdrop ls lab:
    > {time}            433 a
  `);
  expect(here.has('fault')).toBe(false);
}, 60_000);

test('a link to a trusted one does not bring keys of its own', async () => {
  const here = box();
  here.write('tree/public_key.pem', here.read('other_public.pem'));
  await here.transcript(`
    $ ${INIT} --quiet
    $ ln -s ../sealdrop.config.json tree/sealdrop.config.json
    $ cd tree && sealdrop put ../a.txt lab:a --quiet
    $ sealdrop cat lab:a
    > hi
  `);
}, 60_000);

test('what must not stop commands: deployments alone, no file at all, no JSON', async () => {
  const here = box();
  here.write('sealdrop.config.json', '{"deployments":{"dev":{"mistaken":1}}}');
  await here.transcript(`
    $ sealdrop put a.txt file://{dir}/vault/a --public-key public_key.pem --quiet
    $ rm sealdrop.config.json; mkfifo sealdrop.config.json
    $ sealdrop ls file://{dir}/vault
    > {time}            433 a
    ! warning: cannot read sealdrop.config.json: it is no regular file
    ! hint: it is not used
    $ rm sealdrop.config.json; echo no > sealdrop.config.json
    $ sealdrop ls file://{dir}/vault 2>&1 | head -1
    > warning: sealdrop.config.json here is not used: it is not known whether it can be trusted
  `);
}, 60_000);

test('mistakes name their field', async () => {
  const here = box();
  here.write(
    'c.json',
    '{"vaults":{"lab":{"address":"s3:x","endpointUrl":"http://a:b@c","provider":"s3"},"my lab":{"address":"s3://b"}},"key":1}',
  );
  await here.transcript(`
    $ sealdrop ls lab: --config c.json
    ! error: c.json: vaults.lab.address: must be s3://bucket/prefix or file:///directory; vaults.lab.provider: must be one of "abci", "abci-legacy", "aws", "minio", "ceph", "r2", "b2", "wasabi", "gcs", "oracle", "custom"; vaults.lab.endpointUrl: must hold no user name or password; vaults.my lab: a name is letters, digits and hyphens; key: there is no such field
    ! hint: sealdrop.schema.json describes every field; editors that know $schema show it
    [2]
    $ sealdrop ls lab: --config none.json
    ! error: there is no file none.json
    ! hint: make one with: sealdrop init
    [2]
    $ sealdrop trust
    ! error: there is no file sealdrop.config.json
    ! hint: make one with: sealdrop init
    [2]
  `);
}, 60_000);

test('the user’s own is under that of the folder, and options over both', async () => {
  const here = box();
  mkdirSync(join(here.dir, 'there'));
  await here.transcript(`
    $ sealdrop init --user --vault-name lab --address file://{dir}/of-user --public-key other_public.pem --quiet
    $ sealdrop put a.txt lab:a --json | grep -o '"address":"[^"]*"'
    > "address":"file://{dir}/of-user/a"
    ! made a new vault: file://{dir}/of-user/
    $ cd there && sealdrop put ../a.txt lab:b --quiet && sealdrop cat lab:b --private-key ../other_private.pem
    > hi
    $ sealdrop init --vault-name lab --address file://{dir}/vault --public-key public_key.pem --quiet
    $ sealdrop put a.txt lab:a --quiet && sealdrop cat lab:a --private-key private_key.pem
    > hi
    $ sealdrop put a.txt lab:o --public-key other_public.pem --quiet && sealdrop cat lab:o --private-key other_private.pem
    > hi
    $ SEALDROP_PUBLIC_KEY=other_public.pem sealdrop put a.txt lab:e --quiet && sealdrop cat lab:e --private-key other_private.pem
    > hi
  `);
}, 60_000);

test('a named vault requires messages that name their key, unless it says otherwise', async () => {
  const here = box();
  await here.transcript(`
    $ sealdrop put a.txt - --public-key public_key.pem --quiet > raw
    $ mkdir vault && cp raw vault/unbound && echo '{"version":1,"binding":"allow"}' > vault/.sealdrop-vault
    $ sealdrop cat file://{dir}/vault/unbound --private-key private_key.pem --quiet
    > hi
    $ ${INIT} --quiet
    $ sealdrop cat lab:unbound 2>&1 | head -1 | cut -c1-6
    > error:
    $ rm sealdrop.config.json; ${INIT} --binding allow --quiet
    $ sealdrop cat lab:unbound --quiet
    > hi
  `);
}, 60_000);

test('init asks at a terminal', async () => {
  const here = box();
  const { code, screen } = await here.terminal(
    ['init'],
    [
      { wait: 'Name of the vault [vault]: ', send: 'lab\n' },
      { wait: 'file:///directory): ', send: 's3://bucket-test/in/\n' },
      { wait: '[custom]: ', send: 'nonsense\n' },
      { wait: 'custom) [custom]: ', send: 'r2\n' },
      { wait: 'Profile', send: '\n' },
      { wait: 'Public key', send: 'public_key.pem\n' },
    ],
  );
  expect(screen).toContain('wrote sealdrop.config.json');
  expect(code).toBe(0);
  expect(JSON.parse(here.read('sealdrop.config.json').toString())).toEqual({
    vaults: { lab: { address: 's3://bucket-test/in/', provider: 'r2' } },
    keys: { publicKeys: ['public_key.pem'] },
  });
}, 60_000);

test('init without a terminal says what it needs; Ctrl-C leaves nothing', async () => {
  const here = box();
  await here.transcript(`
    $ sealdrop init --vault-name lab
    ! error: what the vault is called and where it is has to be said
    ! hint: there is no terminal to ask at: give --vault-name NAME and --address ADDRESS
    [2]
    $ sealdrop init --vault-name lab --address bucket
    ! error: sealdrop.config.json: vaults.lab.address: must be s3://bucket/prefix or file:///directory
    ! hint: sealdrop.schema.json describes every field; editors that know $schema show it
    [2]
  `);
  const { code } = await here.terminal(['init'], [{ wait: 'Name of the vault', send: '\u0003' }]);
  expect(code).toBe(130);
  expect(here.has('sealdrop.config.json')).toBe(false);
}, 60_000);

test('as JSON, and where the record cannot be written', async () => {
  const here = box();
  const made = await here.run([
    ...['init', '--json', '--vault-name', 'lab', '--address', 's3://b', '--provider', 'abci'],
    ...['--store-option', 'conditional-writes=all,list-version=1', '--ca-bundle', 'ca.pem'],
  ]);
  expect(documents(made)).toEqual([
    { config: here.path('sealdrop.config.json'), vault: 'lab', address: 's3://b' },
  ]);
  const config = JSON.parse(here.read('sealdrop.config.json').toString()) as object;
  expect(config).toEqual({
    vaults: {
      lab: {
        address: 's3://b',
        provider: 'abci',
        caBundle: 'ca.pem',
        conditionalWrites: 'all',
        listVersion: 1,
      },
    },
  });
  expect(documents(await here.run(['trust', '--json']))).toEqual([
    {
      config: here.path('sealdrop.config.json'),
      vaults: [{ name: 'lab', address: 's3://b', binding: 'required', provider: 'abci', caBundle: 'ca.pem' }],
      defaults: {},
      publicKeys: [],
      privateKeys: [],
    },
  ]);
  const blocked = await here.run(['trust'], { env: { XDG_CONFIG_HOME: here.path('a.txt') } });
  expect(blocked).toMatchObject({ code: 1, stderr: expect.stringContaining('cannot write') });
}, 60_000);
