/** Real S3 servers on free ports, each in a temporary folder of its own. */
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { Secret } from '../../src/secret.js';
import { openS3Store, type S3Credentials, type S3StoreOptions } from '../../src/store/s3.js';
import { binary } from './binaries.js';
import { selfSigned } from './certificate.js';
import { pythonVenv } from './python-venv.js';
import { freePort, startProcess, tempFolder, type ServerCommand } from './server-process.js';

export interface S3Server {
  readonly name: ServerName;
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: S3Credentials;
  /** File with the certificate to trust, where it serves TLS. */
  readonly caBundle: string | undefined;
  /** A client to look behind the store with. */
  readonly client: S3Client;
  createBucket(name: string): Promise<string>;
  /** A store on a bucket of it; `partSize` is 5 MiB unless said otherwise. */
  store(bucket: string, options?: Partial<S3StoreOptions>): ReturnType<typeof openS3Store>;
  stop(): Promise<void>;
}

export type ServerName = 'minio' | 'versitygw' | 'ministack';

export interface StartOptions {
  tls?: boolean;
  /** More of the server's environment. */
  env?: Record<string, string>;
}

// As the store does, which here isn't the first to make a client.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

/** Long enough for a first start that builds what it starts: the time for `beforeAll`. */
export const SETUP_TIME = 15 * 60_000;

/** Which servers tests use: SEALDROP_TEST_SERVERS, separated by commas; by default all. */
export function isWanted(name: ServerName): boolean {
  const wanted = process.env.SEALDROP_TEST_SERVERS;
  return !wanted || wanted.split(',').includes(name);
}

const CREDENTIALS: S3Credentials = { accessKeyId: 'sealdroptest', secretAccessKey: 'sealdroptest-secret' };

export async function startMinio(options: StartOptions = {}): Promise<S3Server> {
  const program = await binary('minio');
  return start('minio', options, CREDENTIALS, async ({ folder, port, certs }) => ({
    command: program,
    args: ['server', '--address', `127.0.0.1:${port}`, '--certs-dir', certs, join(folder, 'data')],
    env: {
      MINIO_ROOT_USER: CREDENTIALS.accessKeyId,
      MINIO_ROOT_PASSWORD: CREDENTIALS.secretAccessKey,
      MINIO_BROWSER: 'off',
      MINIO_UPDATE: 'off',
      ...options.env,
    },
    health: '/minio/health/live',
  }));
}

export async function startVersitygw(options: StartOptions = {}): Promise<S3Server> {
  const program = await binary('versitygw');
  return start('versitygw', options, CREDENTIALS, async ({ folder, port, certs }) => {
    const data = join(folder, 'data');
    await mkdir(data);
    const tls =
      options.tls === true ? ['--cert', join(certs, 'public.crt'), '--key', join(certs, 'private.key')] : [];
    return {
      command: program,
      args: ['--port', `127.0.0.1:${port}`, '--keep-alive', '--health', '/health', ...tls, 'posix', data],
      env: {
        ROOT_ACCESS_KEY: CREDENTIALS.accessKeyId,
        ROOT_SECRET_KEY: CREDENTIALS.secretAccessKey,
        ...options.env,
      },
      health: '/health',
    };
  });
}

/** The path of a Python that has ministack and what it needs. */
export const ministackPython = (): Promise<string> =>
  pythonVenv('ministack', ['ministack==1.5.33', 'boto3==1.43.106', 'cryptography==50.0.2']);

/** The AWS side: besides S3 it has SQS, Lambda, KMS and more at the same endpoint. */
export async function startMinistack(options: StartOptions = {}): Promise<S3Server> {
  const python = await ministackPython();
  // The key that every policy of its accounts allows.
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  return start('ministack', options, credentials, async ({ folder, port, certs }) => ({
    command: join(python, '..', 'ministack'),
    args: [],
    env: {
      GATEWAY_PORT: String(port),
      TMPDIR: folder,
      // It listens on ports of its own, which two would share.
      IOT_MTLS_ENABLED: '0',
      SFTP_ENABLED: '0',
      ...(options.tls === true && {
        USE_SSL: '1',
        MINISTACK_SSL_CERT: join(certs, 'public.crt'),
        MINISTACK_SSL_KEY: join(certs, 'private.key'),
        // It and its functions talk to itself.
        SSL_CERT_FILE: join(certs, 'public.crt'),
        AWS_CA_BUNDLE: join(certs, 'public.crt'),
        NODE_EXTRA_CA_CERTS: join(certs, 'public.crt'),
      }),
      ...options.env,
    },
    health: '/_ministack/health',
  }));
}

/** What programs need that ask ministack for all that AWS has. Its well-known key is no secret. */
export function awsEnvironment({ endpoint, credentials, region }: S3Server): Record<string, string> {
  return {
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_REGION: region,
    AWS_ENDPOINT_URL: endpoint,
  };
}

export const STARTERS: Record<ServerName, (options?: StartOptions) => Promise<S3Server>> = {
  minio: startMinio,
  versitygw: startVersitygw,
  ministack: startMinistack,
};

interface Place {
  folder: string;
  port: number;
  certs: string;
}

type Settings = Pick<ServerCommand, 'command' | 'args' | 'env'> & { health: string };

async function start(
  name: ServerName,
  options: StartOptions,
  credentials: S3Credentials,
  settingsFor: (place: Place) => Promise<Settings>,
): Promise<S3Server> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(name, options, credentials, settingsFor);
    } catch (error) {
      // Somebody else may have taken the port that was free a moment ago.
      if (attempt === START_ATTEMPTS) throw error;
    }
  }
}

const START_ATTEMPTS = 3;

async function startOnce(
  name: ServerName,
  options: StartOptions,
  credentials: S3Credentials,
  settingsFor: (place: Place) => Promise<Settings>,
): Promise<S3Server> {
  const tls = options.tls === true;
  const folder = tempFolder(name);
  const certs = join(folder, 'certs');
  await mkdir(certs);
  const caBundle = tls ? (await selfSigned(certs)).certificate : undefined;
  const port = await freePort();
  const { health, ...command } = await settingsFor({ folder, port, certs });
  const endpoint = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`;
  const ready = () => answers(`${endpoint}${health}`);
  const { stop } = await startProcess({ name, folder, ...command, ready });
  return describeServer({ name, endpoint, region: 'us-east-1', credentials, caBundle }, stop);
}

function describeServer(
  place: Pick<S3Server, 'name' | 'endpoint' | 'region' | 'credentials' | 'caBundle'>,
  stop: () => Promise<void>,
): S3Server {
  const { endpoint, region, credentials, caBundle } = place;
  const settings = { endpoint, region, caBundle, credentials: new Secret(credentials) };
  const client = new S3Client({
    endpoint,
    region,
    credentials,
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // With it the SDK takes an agent of its own, which knows no authority of ours.
    expectContinueHeader: false,
    requestHandler: new NodeHttpHandler({ httpsAgent: { ca: caBundle && readFileSync(caBundle) } }),
  });
  return {
    ...place,
    client,
    async createBucket(bucket) {
      await client.send(new CreateBucketCommand({ Bucket: bucket }));
      return bucket;
    },
    store: (bucket, options) => openS3Store({ ...settings, bucket, partSize: 5 * 1024 * 1024, ...options }),
    async stop() {
      client.destroy();
      await stop();
    },
  };
}

async function answers(url: string): Promise<boolean> {
  const request = url.startsWith('https:') ? httpsRequest : httpRequest;
  return new Promise((resolve) => {
    const sent = request(url, { rejectUnauthorized: false, timeout: 2_000, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    sent.on('error', () => resolve(false));
    sent.on('timeout', () => sent.destroy());
    sent.end();
  });
}
