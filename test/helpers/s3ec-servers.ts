/** Where the S3 Encryption Clients meet: objects lie in MinIO, and KMS is ministack's. */
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { startMinio, startMinistack } from './servers.js';

export interface S3ecServers {
  readonly bucket: string;
  readonly kmsKey: string;
  readonly kms: KMSClient;
  /** What programs need to find both. */
  readonly env: Readonly<Record<string, string>>;
  /** An object's user metadata, as the store gives it back. */
  metadata(key: string): Promise<Record<string, string>>;
  read(key: string): Promise<Buffer>;
  write(key: string, body: Uint8Array | string, metadata?: Record<string, string>): Promise<void>;
  stop(): Promise<void>;
}

export async function startS3ecServers(): Promise<S3ecServers> {
  const [minio, ministack] = await Promise.all([startMinio(), startMinistack()]);
  const { region, credentials, client } = minio;
  const Bucket = await minio.createBucket('s3ec');
  const kms = new KMSClient({ endpoint: ministack.endpoint, region, credentials });
  const { KeyMetadata } = await kms.send(new CreateKeyCommand({}));
  return {
    bucket: Bucket,
    kmsKey: KeyMetadata!.Arn!,
    kms,
    env: {
      // ministack takes anybody's.
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_REGION: region,
      AWS_DEFAULT_REGION: region,
      AWS_ENDPOINT_URL_S3: minio.endpoint,
      AWS_ENDPOINT_URL_KMS: ministack.endpoint,
    },
    async metadata(Key) {
      return (await client.send(new HeadObjectCommand({ Bucket, Key }))).Metadata ?? {};
    },
    async read(Key) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
      return Buffer.from(await Body!.transformToByteArray());
    },
    async write(Key, Body, Metadata) {
      await client.send(new PutObjectCommand({ Bucket, Key, Body, Metadata }));
    },
    async stop() {
      kms.destroy();
      await Promise.all([minio.stop(), ministack.stop()]);
    },
  };
}
