/** Vaults for tests of the command, with what the store's own side sees of them. */
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { Box, secret } from './cli.js';
import type { S3Server } from './servers.js';

export interface TestVault {
  readonly box: Box;
  /** Without a slash at its end; `{vault}` in transcripts. */
  readonly address: string;
  /** Puts bytes under a key, past the command. */
  readonly plant: (key: string, bytes: Uint8Array) => Promise<void>;
  readonly stored: (key: string) => Promise<Buffer>;
  readonly keys: () => Promise<string[]>;
  /** Of uploads that were begun and not ended. */
  readonly unfinished: (key: string) => Promise<string[]>;
}

export type VaultKind = 's3' | 'directory';

/** A new, empty vault, with the pairs `private_key.pem` `public_key.pem` and `other_private.pem` `other_public.pem`. */
export async function newVault(kind: VaultKind, server: S3Server): Promise<TestVault> {
  return kind === 's3' ? s3Vault(server) : directoryVault();
}

/** What the environment of a box needs for a server. */
export function environmentFor({ endpoint, credentials, region }: S3Server): Record<string, string> {
  return {
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: secret('the secret key', credentials.secretAccessKey),
    AWS_REGION: region,
    AWS_ENDPOINT_URL_S3: endpoint,
  };
}

const newPair = () =>
  generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
export const PAIR = newPair();
export const OTHER = newPair();

export function addKeys(box: Box): void {
  box.write('private_key.pem', PAIR.privateKey);
  box.write('public_key.pem', PAIR.publicKey);
  box.write('other_private.pem', OTHER.privateKey);
  box.write('other_public.pem', OTHER.publicKey);
}

async function s3Vault(server: S3Server): Promise<TestVault> {
  const Bucket = await server.createBucket(`cli-${randomUUID()}`);
  const host = new URL(server.endpoint).host;
  const address = `s3://${Bucket}`;
  const box = new Box(environmentFor(server), {
    vault: address,
    bucket: Bucket,
    endpoint: server.endpoint,
    host,
  });
  addKeys(box);
  const { client } = server;
  return {
    box,
    address,
    async plant(Key, Body) {
      await client.send(new PutObjectCommand({ Bucket, Key, Body }));
    },
    async stored(Key) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
      return Buffer.from(await Body!.transformToByteArray());
    },
    async keys() {
      const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket }));
      return Contents.map(({ Key }) => Key!);
    },
    async unfinished(Prefix) {
      // MinIO finds uploads by their whole key alone.
      const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket, Prefix }));
      return Uploads.map(({ UploadId }) => UploadId!);
    },
  };
}

async function directoryVault(): Promise<TestVault> {
  const box = new Box();
  const root = box.path('vault');
  const address = `file://${root}`;
  box.names.vault = address;
  box.write('vault/.sealdrop-vault', '{"version":1,"binding":"required"}\n');
  addKeys(box);
  const own = /^\.sealdrop-/;
  return {
    box,
    address,
    async plant(key, bytes) {
      // Another file, not the same one written over.
      rmSync(join(root, key), { force: true });
      box.write(join('vault', key), bytes);
    },
    stored: async (key) => readFileSync(join(root, key)),
    keys: async () => box.files('vault').filter((name) => !own.test(name)),
    // What is being written lies there.
    unfinished: async () => box.files('vault/.sealdrop-tmp'),
  };
}
