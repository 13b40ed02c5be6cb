/** Clients of AWS's services, made when they are first needed. */
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { awsCredentials } from '../aws-credentials.js';
import { certificateAuthorities } from '../certificate-authorities.js';
import { SealdropError } from '../errors.js';
import type { AwsSettings } from '../operations.js';

const TIMEOUTS = { connectionTimeout: 10_000, requestTimeout: 60_000, throwOnRequestTimeout: true };

/**
 * What every client is made with. Endpoints are the SDK's matter: AWS_ENDPOINT_URL and the profile's.
 * @throws SealdropError `usage` where the CA bundle cannot be read
 */
export function clientSettings({ region, profile, caBundle, mfaCode }: AwsSettings) {
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
  const ca = certificateAuthorities(caBundle ?? process.env.AWS_CA_BUNDLE);
  return {
    ...(region !== undefined && { region }),
    ...(profile !== undefined && { profile }),
    credentials: awsCredentials({ profile, mfaCode }),
    retryMode: 'standard',
    requestHandler: new NodeHttpHandler({
      ...TIMEOUTS,
      httpAgent: new HttpAgent({ keepAlive: true }),
      httpsAgent: new HttpsAgent({ keepAlive: true, ca }),
    }),
  };
}

/** @throws SealdropError `usage` where no region is set */
export async function assertRegion(region: () => Promise<string>): Promise<void> {
  await region().catch((cause: unknown) => {
    throw new SealdropError('usage', 'no region is set for AWS', {
      cause,
      hint: 'name it: --region REGION (or AWS_REGION, or in the profile)',
    });
  });
}
