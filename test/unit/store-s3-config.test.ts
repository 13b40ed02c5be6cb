/** Where the S3 store goes: options, environment and AWS's configuration files. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isSealdropError, type SealdropError } from '../../src/errors.js';
import { openS3Store } from '../../src/store/s3.js';
import { resolvePlace, type PlaceOptions } from '../../src/store/s3-config.js';
import '../helpers/core-errors.js';

const CONFIG = `
[default]
region = eu-central-1
endpoint_url = https://default.example

[profile plain]
region = ap-northeast-1
endpoint_url = https://plain.example:9000

[profile with-services]
region = eu-west-1
endpoint_url = https://general.example
services = mine

[profile elsewhere]
endpoint_url = http://localhost:9000

[profile aws]
region = us-west-2

[profile ignoring]
region = us-west-2
endpoint_url = https://ignored.example
ignore_configured_endpoint_urls = true

[services mine]
s3 =
  endpoint_url = https://s3-of-services.example
sqs =
  endpoint_url = https://sqs.example
`;

let folder: string;
let before: NodeJS.ProcessEnv;

/** The SDK reads each file once: every test has its own. */
beforeEach(async () => {
  before = process.env;
  folder = await mkdtemp(join(tmpdir(), 'sealdrop-config-'));
  const config = join(folder, 'config');
  await writeFile(config, CONFIG);
  await writeFile(
    join(folder, 'credentials'),
    '[plain]\naws_access_key_id = KEYOFPLAIN\naws_secret_access_key = s\n',
  );
  process.env = Object.fromEntries(Object.entries(before).filter(([name]) => !name.startsWith('AWS_')));
  process.env.AWS_CONFIG_FILE = config;
  process.env.AWS_SHARED_CREDENTIALS_FILE = join(folder, 'credentials');
  process.env.AWS_EC2_METADATA_DISABLED = 'true';
});
afterEach(async () => {
  process.env = before;
  await rm(folder, { recursive: true });
});

async function place(options: PlaceOptions, environment: Record<string, string> = {}) {
  Object.assign(process.env, environment);
  const { endpoint, region } = await resolvePlace(options);
  return [endpoint.url, region, endpoint.secure, endpoint.aws];
}

async function failure(promise: Promise<unknown>): Promise<SealdropError> {
  const error: unknown = await promise.then(
    () => new Error('it did not fail'),
    (thrown: unknown) => thrown,
  );
  if (isSealdropError(error)) return error;
  throw error;
}

describe('endpoint and region', () => {
  const cases: [string, PlaceOptions, Record<string, string>, unknown[]][] = [
    ['the default profile', {}, {}, ['https://default.example', 'eu-central-1', true, false]],
    ['a profile', { profile: 'plain' }, {}, ['https://plain.example:9000', 'ap-northeast-1', true, false]],
    [
      'AWS_PROFILE',
      {},
      { AWS_PROFILE: 'plain' },
      ['https://plain.example:9000', 'ap-northeast-1', true, false],
    ],
    [
      'a services section',
      { profile: 'with-services' },
      {},
      ['https://s3-of-services.example', 'eu-west-1', true, false],
    ],
    [
      'no region at an endpoint',
      { profile: 'elsewhere' },
      {},
      ['http://localhost:9000', 'us-east-1', false, false],
    ],
    ['AWS', { profile: 'aws' }, {}, [undefined, 'us-west-2', true, true]],
    ['ignored by the profile', { profile: 'ignoring' }, {}, [undefined, 'us-west-2', true, true]],
    [
      'ignored by the environment',
      {},
      { AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true', AWS_ENDPOINT_URL: 'https://x.example' },
      [undefined, 'eu-central-1', true, true],
    ],
    [
      'AWS_ENDPOINT_URL over the profile',
      { profile: 'plain' },
      { AWS_ENDPOINT_URL: 'https://env.example' },
      ['https://env.example', 'ap-northeast-1', true, false],
    ],
    [
      'AWS_ENDPOINT_URL_S3 over AWS_ENDPOINT_URL',
      {},
      {
        AWS_ENDPOINT_URL: 'https://env.example',
        AWS_ENDPOINT_URL_S3: 'https://s3.example',
        AWS_REGION: 'r-1',
      },
      ['https://s3.example', 'r-1', true, false],
    ],
    [
      'AWS_DEFAULT_REGION',
      { profile: 'elsewhere' },
      { AWS_DEFAULT_REGION: 'r-2' },
      ['http://localhost:9000', 'r-2', false, false],
    ],
    [
      'options over all',
      { endpoint: 'http://10.0.0.1:9000', region: 'r-3', profile: 'plain' },
      { AWS_ENDPOINT_URL_S3: 'https://s3.example', AWS_REGION: 'r-1' },
      ['http://10.0.0.1:9000', 'r-3', false, false],
    ],
    [
      'an address of AWS that is named',
      { endpoint: 'https://s3.ap-northeast-1.amazonaws.com', region: 'ap-northeast-1' },
      {},
      ['https://s3.ap-northeast-1.amazonaws.com', 'ap-northeast-1', true, true],
    ],
  ];
  test.each(cases)('%s', async (_, options, environment, expected) => {
    expect(await place(options, environment)).toEqual(expected);
  });

  test('AWS without a region is an error that says how to name one', async () => {
    await writeFile(process.env.AWS_CONFIG_FILE!, '');
    process.env.AWS_CONFIG_FILE = join(folder, 'none');
    const error = await failure(resolvePlace({}));
    expect(error.code).toBe('usage');
    expect(error.hint).toMatch(/--region/);
  });

  test.each([['localhost:9000'], ['ftp://x'], ['https://user:password@x'], ['nonsense']])(
    '%s is no endpoint, and is not repeated',
    async (endpoint) => {
      const error = await failure(resolvePlace({ endpoint, region: 'r' }));
      expect(error.code).toBe('usage');
      expect(`${error.message}${error.hint}`).not.toContain('password@');
    },
  );
});

describe('requests', () => {
  test('go where the profile says, with its credentials and region, and in path style', async () => {
    const seen: IncomingMessage[] = [];
    const server = createServer((request, response) => {
      seen.push(request);
      response.writeHead(200, { etag: '"x"', 'content-length': '7' }).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const config = join(folder, 'live');
    await writeFile(
      config,
      `[default]\nendpoint_url = http://127.0.0.1:9\n[profile plain]\nregion = r-9\nservices = here\n[services here]\ns3 =\n  endpoint_url = ${endpoint}\n`,
    );
    process.env.AWS_CONFIG_FILE = config;
    const store = openS3Store({ bucket: 'bucket', profile: 'plain' });
    expect((await store.head('a/b c')).size).toBe(7);
    expect(seen[0]!.url).toBe('/bucket/a/b%20c');
    expect(seen[0]!.headers.authorization).toMatch(/Credential=KEYOFPLAIN\/\d+\/r-9\/s3\//);
    store.close();
    server.close();
    server.closeAllConnections();
  });

  test.each([['aws'], [undefined]])(
    'without credentials (profile %s) fail with credentials_missing',
    async (profile) => {
      const store = openS3Store({ bucket: 'bucket', endpoint: 'http://127.0.0.1:9', profile });
      const error = await failure(store.head('a'));
      expect([error.code, error.retryable]).toEqual(['credentials_missing', false]);
      expect(error.hint).toMatch(profile === undefined ? /AWS_ACCESS_KEY_ID/ : /~\/\.aws\/credentials/);
      store.close();
    },
  );

  test('with a CA bundle that cannot be read fail before anything is sent', async () => {
    const caBundle = join(folder, 'missing.pem');
    const error = await failure(
      openS3Store({ bucket: 'b', endpoint: 'https://127.0.0.1:9', caBundle }).head('a'),
    );
    expect([error.code, error.message]).toEqual(['usage', `the CA bundle ${caBundle} cannot be read`]);
  });
});
