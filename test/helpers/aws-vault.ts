/** An external vault: a bucket of MinIO, with credentials that may do what the policies of `examples/` allow and no more. */
import { readFileSync } from 'node:fs';
import { S3Client } from '@aws-sdk/client-s3';
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import type { Decryptor, ObjectStore } from '../../src/ports.js';
import { get } from '../../src/transfer/get.js';
import type { Credentials } from './aws-server.js';
import { startMinio, type S3Server } from './servers.js';

export type Policy = 'vault-write' | 'vault-read' | 'vault-delete' | 'vault-rewrite';

/** What the policies of `examples/` name. */
const EXAMPLE_BUCKET = 'my-vault';
export const VAULT_PREFIX = 'inbox/';

export interface ExternalVault {
  readonly server: S3Server;
  readonly bucket: string;
  /** To look at it as its owner. Keys here have the prefix in front. */
  readonly store: ObjectStore;
  credentials(policy: Policy): Promise<Credentials>;
  client(credentials: Credentials): S3Client;
  /** A secret as the deployment reads it. */
  secret(credentials: Credentials, endpoint?: string): string;
  /** The object, opened; its key without the prefix. */
  open(key: string, decryptor: Decryptor): Promise<Buffer>;
  /** Keys without the prefix. */
  keys(): Promise<string[]>;
  stop(): Promise<void>;
}

export async function startVault({ tls }: { tls: boolean }): Promise<ExternalVault> {
  const server = await startMinio({ tls });
  const bucket = await server.createBucket('sealed');
  const ca = server.caBundle === undefined ? undefined : readFileSync(server.caBundle, 'utf8');
  const store = server.store(bucket);
  return {
    server,
    bucket,
    store,
    client: (credentials) =>
      new S3Client({
        ...{ endpoint: server.endpoint, region: server.region, credentials, forcePathStyle: true },
        requestHandler: new NodeHttpHandler({ httpsAgent: { ca } }),
      }),
    credentials: (policy) => restricted(server, policyFor(policy, bucket), ca),
    secret: (credentials, endpoint = server.endpoint) =>
      JSON.stringify({
        ...{ endpoint, region: server.region, bucket, prefix: VAULT_PREFIX, ...credentials },
        ...(endpoint.startsWith('http:') ? { allowHttp: true } : { caCertificate: ca }),
      }),
    open: (key, decryptor) => opened(store, VAULT_PREFIX + key, decryptor),
    async keys() {
      const found: string[] = [];
      for await (const { key } of store.list(VAULT_PREFIX)) found.push(key.slice(VAULT_PREFIX.length));
      return found;
    },
    async stop() {
      store.close();
      await server.stop();
    },
  };
}

function policyFor(name: Policy, bucket: string): string {
  const policy = readFileSync(`examples/minio-policies/${name}.json`, 'utf8');
  return policy.replaceAll(`:::${EXAMPLE_BUCKET}`, `:::${bucket}`);
}

/** MinIO's own AssumeRole: credentials with a policy of their own. */
async function restricted(server: S3Server, policy: string, ca: string | undefined): Promise<Credentials> {
  const { endpoint, region, credentials } = server;
  const sts = new STSClient({
    ...{ endpoint, region, credentials },
    requestHandler: new NodeHttpHandler({ httpsAgent: { ca } }),
  });
  try {
    const given = await sts.send(
      // MinIO wants these two and looks at neither.
      new AssumeRoleCommand({
        RoleArn: 'arn:minio:iam:::role/any',
        RoleSessionName: 'any',
        Policy: policy,
        DurationSeconds: 12 * 3600,
      }),
    );
    const { AccessKeyId, SecretAccessKey, SessionToken } = given.Credentials!;
    return { accessKeyId: AccessKeyId!, secretAccessKey: SecretAccessKey!, sessionToken: SessionToken! };
  } finally {
    sts.destroy();
  }
}

async function opened(store: ObjectStore, key: string, decryptor: Decryptor): Promise<Buffer> {
  const pieces: Buffer[] = [];
  const target = {
    held: true,
    write: async (piece: Uint8Array) => void pieces.push(Buffer.from(piece)),
    commit: async () => undefined,
    discard: async () => void (pieces.length = 0),
  };
  await get({ store, key, decryptor, target, binding: 'required' });
  return Buffer.concat(pieces);
}
