/** Configurations as their users meet them: made by `init`, approved by `trust`, used by name. */
import { expect, test } from '@jest/globals';
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseConfig } from '../../src/config/config.js';
import { located } from '../../src/config/named-vaults.js';
import { resolvePlace } from '../../src/store/s3-config.js';
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

test('a tree brings no configuration as that of a user whose HOME names no folder of its own', async () => {
  const here = box();
  here.write('.config/sealdrop/config.json', JSON.stringify({ keys: { publicKeys: ['public_key.pem'] } }));
  here.write('.config/sealdrop/public_key.pem', here.read('public_key.pem'));
  for (const HOME of ['', '.']) {
    const { code, stderr } = await here.run(['put', 'a.txt', '-'], { env: { HOME } });
    expect({ HOME, code, stderr }).toEqual({
      HOME,
      code: 2,
      stderr: expect.stringContaining('--public-key'),
    });
  }
});

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
      { wait: 'Account id: ', send: 'a.b\n' },
      { wait: 'digits and hyphens', send: 'acc-1\n' },
      { wait: 'Profile', send: '\n' },
      { wait: 'Public key', send: 'public_key.pem\n' },
    ],
  );
  expect(screen).toContain('wrote sealdrop.config.json');
  expect(code).toBe(0);
  expect(JSON.parse(here.read('sealdrop.config.json').toString())).toEqual({
    vaults: { lab: { address: 's3://bucket-test/in/', provider: 'r2', account: 'acc-1' } },
    keys: { publicKeys: ['public_key.pem'] },
  });
  expect(await endpointOfLab(here)).toBe('https://acc-1.r2.cloudflarestorage.com');
}, 60_000);

/** Where the store of the vault that was written is. */
async function endpointOfLab(here: Box): Promise<string | undefined> {
  const config = await parseConfig(here.read('sealdrop.config.json'), here.path('sealdrop.config.json'));
  const { settings } = located('lab:x', config);
  return (await resolvePlace({ ...settings, endpoint: settings.endpointUrl })).endpoint.url;
}

test('init asks for all that the endpoint of a provider is made of', async () => {
  const here = box();
  const { code } = await here.terminal(
    ['init', '--vault-name', 'lab', '--provider', 'oracle'],
    [
      { wait: 'file:///directory): ', send: 's3://bucket-test/\n' },
      { wait: 'Object Storage namespace: ', send: 'ns1\n' },
      { wait: 'Region', send: 'ap-tokyo-1\n' },
      { wait: 'Profile', send: '\n' },
      { wait: 'Public key', send: '\n' },
    ],
  );
  expect(code).toBe(0);
  expect(await endpointOfLab(here)).toBe('https://ns1.compat.objectstorage.ap-tokyo-1.oraclecloud.com');
  const init = 'sealdrop init --vault-name lab --address s3://bucket-test/ --provider r2';
  await here.transcript(`
    $ rm sealdrop.config.json
    $ ${init}
    ! error: the endpoint of r2 needs an account id
    ! hint: name it: --store-option account=NAME
    [2]
    $ ${init} --store-option account=acc-2 --quiet
  `);
  expect(await endpointOfLab(here)).toBe('https://acc-2.r2.cloudflarestorage.com');
  await here.transcript(`
    $ rm sealdrop.config.json
    $ ${init} --endpoint-url https://store.example --quiet
  `);
  expect(await endpointOfLab(here)).toBe('https://store.example');
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

const STORE = {
  provider: 'oracle',
  endpointUrl: 'https://store.example',
  region: 'reg-1',
  profile: 'prof-1',
  caBundle: '/ca-1.pem',
  account: 'acc-1',
  pathStyle: false,
  checksum: 'signature',
  conditionalWrites: 'absent',
  listVersion: 1,
  listEncoding: 'none',
  minPartSize: 6291456,
  maxParts: 999,
  maxAttempts: 7,
  partSize: 7340032,
  concurrency: 9,
  memory: 20_000_000,
};
/** Of each field of a store, what is seen of it. */
const SHOWN = [
  ...['--provider oracle', '--endpoint-url https://store.example', '--region reg-1', '--profile prof-1'],
  ...['--ca-bundle /ca-1.pem', 'account=acc-1', 'path-style=no', 'checksum=signature', '--parallel 9'],
  ...['conditional-writes=absent', 'list-version=1', 'list-encoding=none', 'min-part-size=6291456'],
  ...['max-parts=999', 'max-attempts=7', '--part-size 7340032', '--memory 20000000'],
];
const KEYS = {
  publicKeys: ['/pub.pem'],
  privateKeys: ['/priv.pem'],
  recipients: ['kms:arn:aws:kms:eu-west-1:111122223333:key/theirs'],
  keySet: 'secretsmanager:set-1',
  keyProfile: 'keyprof-1',
  keyName: 'name-1',
  keyNamespace: 'space-1',
};

const DEFAULTS = { ...STORE, resumeFrom: 123_456_789 };

test('what is trusted is shown, each field of it', async () => {
  const here = box();
  const envelope = {
    format: 's3ec',
    commitmentPolicy: 'REQUIRE_ENCRYPT_ALLOW_DECRYPT',
    allowLegacy: true,
  };
  const vault = { address: 's3://b/x', binding: 'allow', ...envelope, ...STORE };
  here.write(
    'sealdrop.config.json',
    JSON.stringify({
      vaults: {
        kms: { ...vault, sse: 'aws:kms:key-1' },
        own: { ...vault, sse: 'c', sseKeyFile: '/sse.key' },
      },
      keys: KEYS,
      defaults: DEFAULTS,
    }),
  );
  // No field has come that this test doesn't know.
  const { properties } = JSON.parse(
    readFileSync(new URL('../../sealdrop.schema.json', import.meta.url), 'utf8'),
  ) as { properties: Record<string, { properties: object; additionalProperties: { properties: object } }> };
  const fieldsOf = (of: object) => Object.keys(of).sort();
  expect(fieldsOf(properties.defaults!.properties)).toEqual(fieldsOf(DEFAULTS));
  expect(fieldsOf(properties.keys!.properties)).toEqual(fieldsOf(KEYS));
  expect(fieldsOf(properties.vaults!.additionalProperties.properties)).toEqual(
    fieldsOf({ ...vault, sse: '', sseKeyFile: '' }),
  );
  const said = (await here.run(['trust'])).stdout.toString();
  const lines = said.trim().split('\n').slice(1);
  const line = (begin: string) => lines.find((each) => each.startsWith(`  ${begin} `)) ?? '';
  for (const text of SHOWN)
    for (const begin of ['vault kms', 'vault own', 'every store']) expect(line(begin)).toContain(text);
  for (const text of ['s3://b/x', 'binding: allow', '--sse aws:kms:key-1'])
    expect(line('vault kms')).toContain(text);
  for (const text of ['--format s3ec', '--commitment-policy REQUIRE_ENCRYPT_ALLOW_DECRYPT', '--allow-legacy'])
    expect(line('vault kms')).toContain(text);
  for (const text of ['--sse c', '--sse-key-file /sse.key']) expect(line('vault own')).toContain(text);
  for (const value of Object.values(KEYS).flat()) expect(said).toContain(value);
  expect(line('resumes')).toContain('123456789');
  const [document] = documents(await here.run(['trust', '--json']));
  expect(document).toMatchObject({ ...KEYS, defaults: DEFAULTS });
  expect(document!.vaults).toEqual([
    { name: 'kms', ...vault, sse: 'aws:kms:key-1' },
    { name: 'own', ...vault, sse: 'c', sseKeyFile: '/sse.key' },
  ]);
});

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
      vaults: [
        {
          ...{ name: 'lab', address: 's3://b', binding: 'required', provider: 'abci', caBundle: 'ca.pem' },
          ...{ conditionalWrites: 'all', listVersion: 1 },
        },
      ],
      defaults: {},
      publicKeys: [],
      privateKeys: [],
    },
  ]);
  const blocked = await here.run(['trust'], { env: { XDG_CONFIG_HOME: here.path('a.txt') } });
  expect(blocked).toMatchObject({ code: 1, stderr: expect.stringContaining('cannot write') });
}, 60_000);
