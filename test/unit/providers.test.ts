/** What is known of stores, and what follows from it. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { parseStoreOptions, storeOptionsOf } from '../../src/config/store-options.js';
import { PROVIDERS, type ProviderName } from '../../src/store-traits.js';
import { planParts } from '../../src/store/part-plan.js';
import { endpointOf, PROVIDERS_BY_NAME, traitsOf } from '../../src/store/providers.js';
import { openRawStore } from '../../src/store/raw-s3.js';
import { openS3Store } from '../../src/store/s3.js';
import { resolvePlace, type PlaceOptions } from '../../src/store/s3-config.js';
import { Secret } from '../../src/secret.js';
import { chunked } from '../helpers/bytes.js';
import '../helpers/core-errors.js';

const MIB = 1024 * 1024;
let before: NodeJS.ProcessEnv;

beforeEach(() => {
  before = process.env;
  process.env = Object.fromEntries(Object.entries(before).filter(([name]) => !name.startsWith('AWS_')));
  process.env.AWS_CONFIG_FILE = '/nowhere';
  process.env.AWS_SHARED_CREDENTIALS_FILE = '/nowhere';
});
afterEach(() => {
  process.env = before;
});

describe('where a provider is', () => {
  test.each([
    [{ provider: 'abci' }, 'https://s3.v3.abci.ai', 'us-east-1'],
    [{ provider: 'abci-legacy' }, 'https://s3.abci.ai', 'us-east-1'],
    [{ provider: 'r2', account: 'a1b2' }, 'https://a1b2.r2.cloudflarestorage.com', 'auto'],
    [{ provider: 'b2', region: 'us-west-004' }, 'https://s3.us-west-004.backblazeb2.com', 'us-west-004'],
    [{ provider: 'wasabi' }, 'https://s3.us-east-1.wasabisys.com', 'us-east-1'],
    [{ provider: 'gcs' }, 'https://storage.googleapis.com', 'auto'],
    [
      { provider: 'oracle', account: 'ns', region: 'ap-tokyo-1' },
      'https://ns.compat.objectstorage.ap-tokyo-1.oraclecloud.com',
      'ap-tokyo-1',
    ],
    [{ provider: 'ceph', endpoint: 'https://ceph.example' }, 'https://ceph.example', 'default'],
    [{ provider: 'r2', endpoint: 'https://x.example', region: 'weur' }, 'https://x.example', 'weur'],
  ] as [PlaceOptions, string, string][])('%j', async (options, url, region) => {
    expect(await resolvePlace(options)).toMatchObject({ endpoint: { url }, region });
  });

  test('a provider goes before what AWS’s own settings say, and a given endpoint before both', async () => {
    process.env.AWS_ENDPOINT_URL_S3 = 'https://other.example';
    process.env.AWS_REGION = 'eu-west-1';
    expect(await resolvePlace({ provider: 'abci' })).toMatchObject({
      endpoint: { url: 'https://s3.v3.abci.ai' },
      region: 'us-east-1',
    });
    expect(await resolvePlace({ provider: 'minio' })).toMatchObject({
      endpoint: { url: 'https://other.example' },
      region: 'eu-west-1',
    });
    expect(await resolvePlace({ provider: 'abci', endpoint: 'https://mine.example' })).toMatchObject({
      endpoint: { url: 'https://mine.example' },
    });
  });

  test.each([
    [{ provider: 'b2' }, 'the endpoint of Backblaze B2 needs a region'],
    [{ provider: 'r2' }, 'the endpoint of Cloudflare R2 needs an account id'],
    [{ provider: 'r2', account: 'evil.example/' }, 'must be of letters, digits and hyphens'],
    [{ provider: 'minio', region: 'us-east-1' }, 'no endpoint is set for MinIO'],
  ] as [PlaceOptions, string][])('%j is not enough', async (options, message) => {
    await expect(resolvePlace(options)).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining(message),
    });
  });

  test('AWS has its endpoint by its own rules', async () => {
    const { endpoint } = await resolvePlace({ provider: 'aws', region: 'eu-west-1' });
    expect(endpoint).toMatchObject({ url: undefined, aws: true });
  });
});

test.each([
  [true, 'https://s3.example:8443/base', 'https://s3.example:8443/base/b/'],
  [false, 'https://s3.example:8443/base', 'https://b.s3.example:8443/base/'],
])('with path style %s, a bucket at %s is %s', async (pathStyle, endpoint, url) => {
  const credentials = async () => ({ accessKeyId: 'a', secretAccessKey: 'b' });
  const raw = await openRawStore({ bucket: 'b', endpoint, region: 'r', credentials, traits: { pathStyle } });
  expect(raw.url.href).toBe(url);
  raw.close();
});

test.each<[ProviderName, number]>([
  ['aws', 2048],
  ['r2', 8192],
])('%s: metadata that it would refuse are refused before anything is sent', async (provider, most) => {
  const credentials = new Secret({ accessKeyId: 'a', secretAccessKey: 'b' });
  const place = { endpoint: 'http://127.0.0.1:9', region: 'us-east-1', account: 'a', maxAttempts: 1 };
  const store = openS3Store({ bucket: 'b', provider, credentials, ...place });
  const put = (bytes: number) =>
    store.put('k', chunked(Buffer.from('x'), 1), { metadata: { name: 'v'.repeat(bytes - 4) } });
  await expect(put(most + 1)).rejects.toMatchObject({
    code: 'too_large',
    message: expect.stringContaining(`${most + 1} bytes`),
  });
  await expect(put(most)).rejects.toMatchObject({ code: 'endpoint_unreachable' });
  store.close();
});

test('every provider has its entry, and room for the metadata of sealdrop', () => {
  expect(Object.keys(PROVIDERS_BY_NAME)).toEqual([...PROVIDERS]);
  for (const { metadataBytes } of Object.values(PROVIDERS_BY_NAME))
    expect(metadataBytes).toBeGreaterThanOrEqual(2048);
  expect(endpointOf('custom', {})).toBeUndefined();
});

test('what is given by hand goes before what the provider has', () => {
  expect(traitsOf('abci')).toEqual({ conditionalWrites: 'none' });
  expect(traitsOf('abci', { conditionalWrites: 'absent', listVersion: undefined })).toEqual({
    conditionalWrites: 'absent',
  });
  expect(traitsOf(undefined, { listVersion: 1 })).toEqual({ listVersion: 1 });
});

describe('parts', () => {
  test('grow where a store takes few of them', () => {
    expect(planParts(100_000 * MIB, undefined, { maxParts: 1000 })).toMatchObject({ partSize: 100 * MIB });
    expect(planParts(100_000 * MIB)).toMatchObject({ partSize: 10 * MIB });
    expect(planParts(undefined, 5 * MIB, { maxParts: 1000 }).limit).toBe(5000 * MIB);
  });

  test('are as large as the store wants them', () => {
    expect(planParts(20 * MIB, 5 * MIB, { minPartSize: 10 * MIB }).partSize).toBe(10 * MIB);
  });
});

describe('--store-option', () => {
  test('several, by their names', () => {
    const text =
      'path-style=no,checksum=md5,conditional-writes=absent,list-version=1,list-encoding=none,min-part-size=10485760,max-parts=1000,max-attempts=3';
    const parsed = parseStoreOptions(text);
    expect(parsed).toEqual({
      pathStyle: false,
      checksum: 'md5',
      conditionalWrites: 'absent',
      listVersion: 1,
      listEncoding: 'none',
      minPartSize: 10 * MIB,
      maxParts: 1000,
      maxAttempts: 3,
    });
    // What is printed can be given back.
    expect(
      storeOptionsOf(parsed)
        .map((option) => option.replace('--store-option ', ''))
        .join(','),
    ).toBe(text);
  });

  test.each([
    ['list-version=3', 'the store option list-version takes 1, 2'],
    ['checksum=', 'the store option checksum takes auto, '],
    ['max-parts=0', 'takes a number from 2 to 10000'],
    ['account=', 'takes a name'],
    ['constructor=1', 'there is no store option constructor'],
    ['', 'there is no store option'],
  ])('%s is refused', (text, message) => {
    expect(() => parseStoreOptions(text)).toThrow(
      expect.objectContaining({ code: 'usage', message: expect.stringContaining(message) }),
    );
  });
});
