/** What a configuration comes to: vaults by name, layers of settings, and what a vault's key may be. */
import { describe, expect, test } from '@jest/globals';
import { parseConfig, layered } from '../../src/config/config.js';
import { located, withConfig } from '../../src/config/named-vaults.js';
import type { Parts, StoreSettings } from '../../src/config/settings.js';
import '../helpers/core-errors.js';

const read = (document: object, path = '/etc/x/sealdrop.config.json') =>
  parseConfig(Buffer.from(JSON.stringify(document)), path);

const FULL = {
  $schema: './sealdrop.schema.json',
  vaults: {
    lab: {
      address: 's3://bucket/in',
      provider: 'ceph',
      endpointUrl: 'https://ceph.example:8443',
      region: 'here',
      profile: 'lab',
      caBundle: 'ca.pem',
      sse: 'aws:kms:key-1',
      conditionalWrites: 'absent',
      listVersion: 1,
      partSize: 16_777_216,
    },
    share: { address: 'file:///mnt/share/', binding: 'allow' },
    own: { address: 's3://own', sse: 'c', sseKeyFile: 'sse.key' },
  },
  keys: { publicKeys: ['a.pem', '/abs/b.pem'], keyName: 'mine' },
  defaults: { region: 'there', maxAttempts: 3, listEncoding: 'none' },
  deployments: 'not looked at here',
};

test('a vault with all its settings; paths lead from the file', async () => {
  const config = await read(FULL);
  expect(config.keys).toEqual({ publicKeys: ['/etc/x/a.pem', '/abs/b.pem'], keyName: 'mine' });
  expect(located('lab:data/x', config)).toEqual({
    key: 'data/x',
    place: { kind: 's3', bucket: 'bucket', key: 'in/data/x' },
    binding: 'required',
    allowed: {},
    settings: {
      provider: 'ceph',
      endpointUrl: 'https://ceph.example:8443',
      region: 'here',
      profile: 'lab',
      caBundle: '/etc/x/ca.pem',
      partSize: 16_777_216,
      sse: { kind: 'aws:kms', keyId: 'key-1' },
      traits: { conditionalWrites: 'absent', listVersion: 1, listEncoding: 'none', maxAttempts: 3 },
    },
  });
  expect(located('share:a/', config)).toMatchObject({
    place: { kind: 'file', path: '/mnt/share/a/', named: true },
    binding: 'allow',
  });
  expect(located('own:', config)).toMatchObject({
    place: { kind: 's3', bucket: 'own', key: '' },
    sseKeyFile: '/etc/x/sse.key',
  });
});

test('what is given goes before the vault’s, and that before the defaults; each setting by itself', async () => {
  const config = await read(FULL);
  const { settings } = located('lab:x', config, {
    region: 'mine',
    profile: undefined,
    traits: { listVersion: 2 },
  });
  expect(settings).toMatchObject({
    region: 'mine',
    profile: 'lab',
    traits: { listVersion: 2, conditionalWrites: 'absent', maxAttempts: 3 },
  });
  // An address that names no vault has the defaults.
  expect(located('s3://b/k', config)).toMatchObject({
    binding: 'allow',
    settings: { region: 'there', traits: { maxAttempts: 3 } },
  });
  expect(layered({ region: 'a' }, {}, { region: undefined })).toEqual({
    region: 'a',
    traits: {},
  });
});

test.each([
  'lab:../x',
  'lab:a/../../x',
  'lab:/x',
  'lab:a//b',
  'lab:./x',
  'lab:a//',
  `lab:${'x'.repeat(300)}`,
])('%s leads out of the vault, or to nothing that can be kept', async (address) => {
  const config = await read(FULL);
  expect(() => located(address, config)).toThrow(expect.objectContaining({ code: 'key_not_storable' }));
});

test.each(['lab:', 'lab:a', 'lab:a/', 'lab:日本/a b%20+'])('%s stays as it is', async (address) => {
  const { place } = located(address, await read(FULL));
  expect(place).toMatchObject({ key: `in/${address.slice(4)}` });
});

test('the key of SSE-C is read when the vault is opened, unless another is given', async () => {
  const opened: StoreSettings[] = [];
  const base = {
    openVault: (_address: unknown, _use: unknown, settings: StoreSettings) => {
      opened.push(settings);
      return Promise.resolve({ key: 'x', binding: 'allow' });
    },
  } as unknown as Parts;
  const files: string[] = [];
  const parts = withConfig(base, await read(FULL), async (file) => {
    files.push(file);
    return { sse: { kind: 'bucket' } };
  });
  expect(await parts.openVault('own:x', 'read')).toMatchObject({ binding: 'required' });
  await parts.openVault('own:x', 'read', { sse: { kind: 'AES256' } });
  expect(await parts.openVault('s3://b/x', 'read')).toMatchObject({ binding: 'allow' });
  expect(files).toEqual(['/etc/x/sse.key']);
  expect(opened.map(({ sse }) => sse?.kind)).toEqual(['bucket', 'AES256', undefined]);
});

describe('a mistake names its field', () => {
  const mistakes: [object, string][] = [
    [{ vaults: { lab: {} } }, 'vaults.lab.address: is missing'],
    [
      { vaults: { lab: { address: 'lab:x' } } },
      'vaults.lab.address: must be s3://bucket/prefix or file:///directory',
    ],
    [{ vaults: { lab: { address: 'folder' } } }, 'vaults.lab.address: must be'],
    [
      { vaults: { lab: { address: 's3://b', secretAccessKey: 'x' } } },
      'vaults.lab.secretAccessKey: there is no such field',
    ],
    [{ vaults: { lab: { address: 's3://b', sse: 'c' } } }, 'vaults.lab.sseKeyFile: is needed for "c"'],
    [
      { vaults: { lab: { address: 's3://b', sse: 'AES256', sseKeyFile: 'k' } } },
      'vaults.lab.sseKeyFile: is for "sse": "c"',
    ],
    [{ vaults: { lab: { address: 's3://b', sse: 'des' } } }, 'vaults.lab.sse: must be AES256'],
    [{ vaults: { lab: { address: 's3://b', endpointUrl: 'ftp://h' } } }, 'endpointUrl: must be a URL like'],
    [{ vaults: { lab: { address: 's3://b', listVersion: 3 } } }, 'listVersion: must be one of 1, 2'],
    [{ keys: { publicKeys: [] } }, 'keys.publicKeys: must not be empty'],
    [{ keys: { privateKey: 'x' } }, 'keys.privateKey: there is no such field'],
    [{ defaults: { address: 's3://b' } }, 'defaults.address: there is no such field'],
    [{ vault: {} }, 'vault: there is no such field'],
  ];
  test.each(mistakes)('%j', async (document, message) => {
    await expect(read(document)).rejects.toMatchObject({
      code: 'invalid_config',
      message: expect.stringContaining(message),
    });
  });
});
