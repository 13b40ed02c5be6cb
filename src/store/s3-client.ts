/** The SDK's client, made when it is first needed. */
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { createSecureContext } from 'node:tls';
import { S3Client } from '@aws-sdk/client-s3';
import { awsCredentials } from '../aws-credentials.js';
import { certificateAuthorities } from '../certificate-authorities.js';
import { Secret } from '../secret.js';
import type { StoreTraits } from '../store-traits.js';
import { checkAnswers } from './answers.js';
import { PROVIDERS_BY_NAME, traitsOf } from './providers.js';
import { resolvePlace, type Endpoint, type PlaceOptions } from './s3-config.js';
import { S3Handler } from './s3-handler.js';

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration?: Date;
}

export interface ClientOptions extends PlaceOptions {
  /** Default: AWS's chain of environment, profiles, SSO and roles. */
  credentials?: Secret<S3Credentials> | (() => Promise<S3Credentials>) | undefined;
  /** Asks for the token code of the device that a profile's role wants. */
  mfaCode?: ((device: string) => Promise<string>) | undefined;
  /** File with certificates (PEM) trusted besides the public ones. Default: AWS_CA_BUNDLE. */
  caBundle?: string | undefined;
  /** Certificates (PEM) trusted besides those. */
  caCertificate?: string | undefined;
  /** Account that must own the buckets; AWS refuses requests to others. */
  bucketOwner?: string | undefined;
  /** In what it differs from its provider. */
  traits?: StoreTraits | undefined;
  /** Times that a request is sent before it fails. Default: the traits' say, or 5. */
  maxAttempts?: number | undefined;
  /** Milliseconds that a connection may stand still. Default 60,000. */
  idleTimeout?: number | undefined;
}

const CONNECT_TIMEOUT = 10_000;
export const IDLE_TIMEOUT = 60_000;
/** An answer may take so many times what the connection may stand still: stores join parts while they answer. */
const ANSWER_FACTOR = 10;
/** More than one upload needs: a gateway runs several at a time on one store. */
const MAX_SOCKETS = 64;

export interface Connection {
  readonly client: S3Client;
  readonly endpoint: Endpoint;
  readonly traits: StoreTraits;
  /** Bytes of names and values of metadata that an object may have. */
  readonly metadataBytes: number;
}

/** @throws SealdropError `usage` for settings that cannot work */
export async function connect(options: ClientOptions): Promise<Connection> {
  const { endpoint, region } = await resolvePlace(options);
  const traits = traitsOf(options.provider, options.traits);
  // The SDK's documented switch; the warning is for whoever packs it, not for whoever uses this command.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
  const client = new S3Client({
    ...(endpoint.url === undefined ? {} : { endpoint: endpoint.url }),
    // The endpoint was looked up above, under the right profile.
    ignoreConfiguredEndpointUrls: true,
    region,
    profile: options.profile,
    credentials: credentialsOf(options),
    forcePathStyle: traits.pathStyle ?? true,
    followRegionRedirects: true,
    // The default adds checksums in trailers, which several stores refuse (aws-sdk-js-v3#6810).
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    expectContinueHeader: false,
    retryMode: 'standard',
    maxAttempts: options.maxAttempts ?? traits.maxAttempts ?? 5,
    requestHandler: handlerOf(options),
  });
  checkAnswers(client, answerTime(options));
  if (options.bucketOwner !== undefined) expectOwner(client, options.bucketOwner);
  const { metadataBytes } = PROVIDERS_BY_NAME[options.provider ?? 'custom'];
  return { client, endpoint, traits, metadataBytes };
}

/** Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html */
function expectOwner(client: S3Client, account: string): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      (args.request as { headers: Record<string, string> }).headers['x-amz-expected-bucket-owner'] = account;
      return next(args);
    },
    { name: 'sealdropBucketOwner', step: 'build' },
  );
}

function credentialsOf({ credentials, profile, mfaCode }: ClientOptions) {
  if (credentials instanceof Secret) return async () => credentials.reveal();
  return credentials ?? awsCredentials({ profile, mfaCode });
}

function handlerOf(options: ClientOptions): S3Handler {
  const agent = { keepAlive: true, maxSockets: MAX_SOCKETS };
  // Made once: certificates as such would be read again for every connection, and be part of its name in the agent.
  const ca = certificateAuthorities(options.caBundle ?? process.env.AWS_CA_BUNDLE, options.caCertificate);
  const secureContext = ca && createSecureContext({ ca });
  return new S3Handler({
    // Instances: for options the handler makes an agent per request that expects 100-continue.
    httpAgent: new HttpAgent(agent),
    httpsAgent: new HttpsAgent(secureContext ? { ...agent, secureContext } : agent),
    secureContext,
    connectTimeout: CONNECT_TIMEOUT,
    // Of silence.
    idleTimeout: options.idleTimeout ?? IDLE_TIMEOUT,
    // Of the whole request until its answer begins, drop by drop; uploads go without, however large they are.
    answerTimeout: answerTime(options),
  });
}

function answerTime({ idleTimeout = IDLE_TIMEOUT }: ClientOptions): number {
  return ANSWER_FACTOR * idleTimeout;
}
