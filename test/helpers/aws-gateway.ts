/** A whole deployment, as an operator makes one: secrets, configuration file, `cdk bootstrap`, `cdk deploy`. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvokeCommand } from '@aws-sdk/client-lambda';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { CreateSecretCommand, PutSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import type { Decryptor } from '../../src/ports.js';
import { bootstrap, cdk, type CdkApp } from './aws-cdk.js';
import { startAws, type Aws } from './aws-server.js';
import { startVault, type ExternalVault } from './aws-vault.js';
import { startFaultProxy, type FaultProxy } from './fault-proxy.js';
import { decryptorFor, publicPem, rsaPair, type Pair } from './keys.js';

export const SECRETS = {
  publicKeySet: 'sealdrop/public-keys',
  vaultWrite: 'sealdrop/vault-write',
  vaultRead: 'sealdrop/vault-read',
  vaultDelete: 'sealdrop/vault-delete',
  vaultRewrite: 'sealdrop/vault-rewrite',
} as const;

type Config = Readonly<Record<string, unknown>>;

export interface GatewayOptions {
  /** Whether the vault speaks TLS. A proxy stands in front of one that doesn't. */
  readonly tls: boolean;
  /** Whether the CDK validates the template. Default: no. */
  readonly validation?: boolean;
  /** More of the deployment's configuration. Makes what that names. */
  readonly config?: (aws: Aws) => Promise<Config> | Config;
}

/** The stack's outputs. */
export interface Outputs {
  readonly Inboxes: string;
  readonly QueueUrl: string;
  readonly DeadLetterQueueUrl: string;
  readonly EncryptObjectFunction: string;
  readonly BackfillStateMachine: string;
  readonly ApiUrl?: string;
}

export interface Gateway {
  readonly aws: Aws;
  readonly vault: ExternalVault;
  /** Between the functions and a vault without TLS. */
  readonly proxy: FaultProxy | undefined;
  readonly pair: Pair;
  readonly decryptor: Decryptor;
  readonly app: CdkApp;
  readonly stack: string;
  readonly outputs: Outputs;
  /** Bucket of the first inbox. */
  readonly inbox: string;
  /** Puts an object into an inbox, the first unless said otherwise. Answers its version. */
  readonly drop: (key: string, body: Uint8Array | string, bucket?: string) => Promise<string>;
  /** Calls the encrypting function, as somebody with the right to. */
  readonly invoke: (event: unknown) => Promise<unknown>;
  readonly setSecret: (name: string, value: string) => Promise<void>;
  stop(): Promise<void>;
}

export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const aws = await startAws();
  const vault = await startVault(options).catch(async (error: unknown) => {
    await aws.stop();
    throw error;
  });
  const folder = mkdtempSync(join(tmpdir(), 'sealdrop-deploy-'));
  const proxy = options.tls ? undefined : await startFaultProxy(vault.server.endpoint);
  const pair = rsaPair();
  const stop = async () => {
    await proxy?.close();
    await Promise.all([aws.stop(), vault.stop()]);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await fillSecrets(aws, vault, pair, proxy?.endpoint);
    const { validation } = options;
    const app = {
      ...{ aws, folder, validation },
      app: `${process.execPath} ${join(process.cwd(), 'dist/bin/app.js')}`,
    };
    const outputs = await deploy(app, await options.config?.(aws));
    return { ...{ aws, vault, proxy, pair, app, stop }, ...describeGateway(aws, pair, outputs) };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function fillSecrets(
  aws: Aws,
  vault: ExternalVault,
  pair: Pair,
  endpoint: string | undefined,
): Promise<void> {
  const secretOf = async (policy: Parameters<ExternalVault['credentials']>[0]) =>
    vault.secret(await vault.credentials(policy), endpoint);
  const values = {
    [SECRETS.publicKeySet]: publicPem(pair),
    [SECRETS.vaultWrite]: await secretOf('vault-write'),
    [SECRETS.vaultRead]: await secretOf('vault-read'),
    [SECRETS.vaultDelete]: await secretOf('vault-delete'),
    [SECRETS.vaultRewrite]: await secretOf('vault-rewrite'),
  };
  for (const [Name, SecretString] of Object.entries(values))
    await aws.secrets.send(new CreateSecretCommand({ Name, SecretString }));
}

const STACK = 'Sealdrop-e2e';

async function deploy(app: CdkApp, config: Config | undefined): Promise<Outputs> {
  const settings = {
    publicKeySetSecret: SECRETS.publicKeySet,
    vaultWriteSecret: SECRETS.vaultWrite,
    ...config,
  };
  writeFileSync(
    join(app.folder, 'sealdrop.config.json'),
    JSON.stringify({ deployments: { e2e: settings } }, null, 2),
  );
  await bootstrap(app);
  const file = join(app.folder, 'outputs.json');
  await cdk(app, ['deploy', STACK, '--require-approval', 'never', '--outputs-file', file]);
  return (JSON.parse(readFileSync(file, 'utf8')) as Record<string, Outputs>)[STACK]!;
}

function describeGateway(aws: Aws, pair: Pair, outputs: Outputs) {
  const inbox = (JSON.parse(outputs.Inboxes) as { bucket: string }[])[0]!.bucket;
  return {
    decryptor: decryptorFor(pair),
    stack: STACK,
    outputs,
    inbox,
    drop: async (key: string, body: Uint8Array | string, bucket = inbox) =>
      (await aws.s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }))).VersionId!,
    invoke: async (event: unknown) => {
      const answer = await aws.lambda.send(
        new InvokeCommand({ FunctionName: outputs.EncryptObjectFunction, Payload: JSON.stringify(event) }),
      );
      const text = Buffer.from(answer.Payload ?? []).toString();
      if (answer.FunctionError !== undefined) throw new Error(`${answer.FunctionError}: ${text}`);
      return JSON.parse(text) as unknown;
    },
    setSecret: async (name: string, value: string) =>
      void (await aws.secrets.send(new PutSecretValueCommand({ SecretId: name, SecretString: value }))),
  };
}
