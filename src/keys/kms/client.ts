/** Requests to AWS KMS, in the regions where keys are. */
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { KMSClient } from '@aws-sdk/client-kms';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { awsCredentials, type CredentialOptions } from '../../aws-credentials.js';
import { certificateAuthorities } from '../../certificate-authorities.js';
import { SealdropError } from '../../errors.js';

export interface KmsOptions extends CredentialOptions {
  /** Where a key is named without one. Default: AWS's own settings. */
  region?: string | undefined;
  /** File with certificates (PEM) trusted besides the public ones. Default: AWS_CA_BUNDLE. */
  caBundle?: string | undefined;
  /** Of grants that are too new to be known everywhere at KMS. */
  grantTokens?: readonly string[] | undefined;
  /** Times that a request is sent before it fails. Default 5. */
  maxAttempts?: number | undefined;
}

/** A client for each region, made when it is first needed. Endpoints are the SDK's matter: AWS_ENDPOINT_URL_KMS. */
export class KmsClients {
  readonly grantTokens: string[];
  readonly #options: KmsOptions;
  readonly #clients = new Map<string, KMSClient>();

  constructor(options: KmsOptions = {}) {
    this.#options = options;
    this.grantTokens = [...(options.grantTokens ?? [])];
  }

  /**
   * @param region undefined: the usual one
   * @throws SealdropError `usage` where there is none
   */
  async in(region: string | undefined): Promise<KMSClient> {
    const known = this.#clients.get(region ?? '');
    if (known !== undefined) return known;
    const client = makeClient({ ...this.#options, region: region ?? this.#options.region });
    await client.config.region().catch((cause: unknown) => {
      throw new SealdropError('usage', 'no region is set for AWS KMS', {
        cause,
        hint: 'name the key by its ARN, which has the region in it, or set AWS_REGION',
      });
    });
    this.#clients.set(region ?? '', client);
    return client;
  }
}

/** Milliseconds. */
const TIMEOUTS = { connectionTimeout: 10_000, requestTimeout: 30_000, throwOnRequestTimeout: true };

function makeClient({ region, profile, mfaCode, caBundle, maxAttempts = 5 }: KmsOptions): KMSClient {
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
  const ca = certificateAuthorities(caBundle ?? process.env.AWS_CA_BUNDLE);
  return new KMSClient({
    ...(region !== undefined && { region }),
    ...(profile !== undefined && { profile }),
    credentials: awsCredentials({ profile, mfaCode }),
    retryMode: 'standard',
    maxAttempts,
    requestHandler: new NodeHttpHandler({
      ...TIMEOUTS,
      httpAgent: new HttpAgent({ keepAlive: true }),
      httpsAgent: new HttpsAgent({ keepAlive: true, ca }),
    }),
  });
}
