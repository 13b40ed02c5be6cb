/** Objects as the first S3 Encryption Clients wrote them with KMS. Those that we run read them, and write none. */
import { GenerateDataKeyCommand } from '@aws-sdk/client-kms';
import { createCipheriv, randomBytes, type CipherGCM } from 'node:crypto';
import type { S3ecServers } from './s3ec-servers.js';

export type LegacyContent = 'AES/GCM/NoPadding' | 'AES/CBC/PKCS5Padding';

/**
 * Stores one: V2's metadata, the data key wrapped by `kms` without the content algorithm in its context.
 *
 * Source: AWS Encryption SDK specification repository, s3-encryption/data-format/content-metadata.md.
 */
export async function writeLegacy(
  servers: S3ecServers,
  key: string,
  content: LegacyContent,
  plaintext: Uint8Array,
  pairs: Record<string, string> = {},
): Promise<void> {
  const { kms, kmsKey } = servers;
  const context = { ...pairs, kms_cmk_id: kmsKey };
  const { Plaintext, CiphertextBlob } = await kms.send(
    new GenerateDataKeyCommand({ KeyId: kmsKey, KeySpec: 'AES_256', EncryptionContext: context }),
  );
  const gcm = content === 'AES/GCM/NoPadding';
  const iv = randomBytes(gcm ? 12 : 16);
  const cipher = createCipheriv(gcm ? 'aes-256-gcm' : 'aes-256-cbc', Plaintext!, iv);
  const body = [cipher.update(plaintext), cipher.final()];
  if (gcm) body.push((cipher as CipherGCM).getAuthTag());
  await servers.write(key, Buffer.concat(body), {
    'x-amz-key-v2': Buffer.from(CiphertextBlob!).toString('base64'),
    'x-amz-iv': iv.toString('base64'),
    'x-amz-matdesc': JSON.stringify(context),
    'x-amz-cek-alg': content,
    'x-amz-wrap-alg': 'kms',
    ...(gcm && { 'x-amz-tag-len': '128' }),
  });
}
