/** The AWS side of a deployment, as strict as it gets here: TLS, and policies that are enforced. */
import { readFileSync } from 'node:fs';
import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { IAMClient } from '@aws-sdk/client-iam';
import { KMSClient } from '@aws-sdk/client-kms';
import { LambdaClient } from '@aws-sdk/client-lambda';
import type { S3Client } from '@aws-sdk/client-s3';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SFNClient } from '@aws-sdk/client-sfn';
import { SQSClient } from '@aws-sdk/client-sqs';
import { STSClient } from '@aws-sdk/client-sts';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { startMinistack, type S3Server } from './servers.js';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface Aws {
  readonly server: S3Server;
  readonly endpoint: string;
  readonly region: string;
  /** File with the certificate to trust. */
  readonly caBundle: string;
  /** As its administrator. */
  readonly s3: S3Client;
  readonly sqs: SQSClient;
  readonly lambda: LambdaClient;
  readonly secrets: SecretsManagerClient;
  readonly kms: KMSClient;
  readonly sts: STSClient;
  readonly iam: IAMClient;
  readonly sfn: SFNClient;
  readonly cloudFormation: CloudFormationClient;
  readonly logs: CloudWatchLogsClient;
  /** For clients with other credentials. */
  clientSettings(credentials: Credentials): ClientSettings;
  /** For programs: the command-line tools and whatever else reads AWS's variables. */
  readonly environment: Record<string, string>;
  stop(): Promise<void>;
}

export interface ClientSettings {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: Credentials;
  readonly requestHandler: NodeHttpHandler;
}

export async function startAws(): Promise<Aws> {
  const server = await startMinistack({
    tls: true,
    // Waits of state machines take no time.
    env: { AUTH: 'true', SFN_WAIT_SCALE: '0' },
  });
  const { endpoint, region, credentials } = server;
  const caBundle = server.caBundle!;
  const ca = readFileSync(caBundle);
  const requestHandler = new NodeHttpHandler({ httpsAgent: { ca, maxSockets: 64 }, requestTimeout: 60_000 });
  const clientSettings = (as: Credentials) => ({ endpoint, region, credentials: as, requestHandler });
  const settings = clientSettings(credentials);
  return {
    server,
    endpoint,
    region,
    caBundle,
    s3: server.client,
    sqs: new SQSClient(settings),
    lambda: new LambdaClient(settings),
    secrets: new SecretsManagerClient(settings),
    kms: new KMSClient(settings),
    sts: new STSClient(settings),
    iam: new IAMClient(settings),
    sfn: new SFNClient(settings),
    cloudFormation: new CloudFormationClient(settings),
    logs: new CloudWatchLogsClient(settings),
    clientSettings,
    environment: {
      AWS_ENDPOINT_URL: endpoint,
      AWS_ENDPOINT_URL_S3: endpoint,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_REGION: region,
      AWS_DEFAULT_REGION: region,
      AWS_EC2_METADATA_DISABLED: 'true',
      CDK_DEFAULT_ACCOUNT: '000000000000',
      CDK_DEFAULT_REGION: region,
      AWS_CA_BUNDLE: caBundle,
      NODE_EXTRA_CA_CERTS: caBundle,
    },
    async stop() {
      requestHandler.destroy();
      await server.stop();
    },
  };
}
