import { Stack } from 'aws-cdk-lib';
import type * as kms from 'aws-cdk-lib/aws-kms';
import type * as s3 from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import type { VaultSettings } from '../../src/contract.js';
import type { Grant } from './acknowledge.js';
import { assertFolder, assertLiteral, useKeys } from './access.js';

/** A vault on AWS, reached by the function's own role instead of a secret's credentials. */
export interface VaultBucketProps {
  readonly bucket: s3.IBucket;
  /** Ends in a slash, or is empty. Default: empty. */
  readonly prefix?: string;
  /** Customer key that the bucket is encrypted with. Default: the one it was imported with. */
  readonly encryptionKey?: kms.IKey;
}

/** A vault behind a secret, or a bucket of AWS. */
export type Vault =
  | { readonly secret: string }
  | (Required<Pick<VaultBucketProps, 'bucket' | 'prefix'>> & {
      readonly encryptionKey: kms.IKey | undefined;
    });

export type VaultUse = 'write' | 'read' | 'delete' | 'rewrite';

/** @throws where there is not exactly one of the two, or the prefix is no folder */
export function settleVault(
  props: { secret?: string; bucket?: VaultBucketProps },
  secretProp: string,
): Vault {
  const { secret, bucket: given } = props;
  if ((secret === undefined) === (given === undefined))
    throw new Error(`exactly one of ${secretProp} and vaultBucket is needed`);
  if (secret !== undefined) return { secret };
  const { bucket, prefix = '', encryptionKey = bucket.encryptionKey } = given!;
  if (prefix !== '') assertFolder(prefix);
  assertLiteral('the prefix of vaultBucket', prefix);
  return { bucket, prefix, encryptionKey };
}

export function vaultSettings(scope: Construct, vault: Vault): VaultSettings {
  if ('secret' in vault) return vault;
  return { bucket: vault.bucket.bucketName, prefix: vault.prefix, region: Stack.of(scope).region };
}

/** The names of the secrets that a vault needs: none for a bucket. */
export function vaultSecrets(vault: Vault): string[] {
  return 'secret' in vault ? [vault.secret] : [];
}

const OBJECT_ACTIONS: Record<VaultUse, string[]> = {
  // Reading is for HEAD; it gives ciphertext at most.
  write: ['s3:PutObject', 's3:AbortMultipartUpload', 's3:GetObject'],
  read: ['s3:GetObject'],
  // Without the right to delete versions, old ones stay.
  delete: ['s3:DeleteObject'],
  // Nothing is taken away: what stood there before stays where the bucket is versioned.
  rewrite: ['s3:PutObject', 's3:AbortMultipartUpload', 's3:GetObject'],
};

const KEY_ACTIONS: Record<VaultUse, string[]> = {
  // Parts of an upload are encrypted with a data key that is decrypted for each.
  write: ['kms:GenerateDataKey', 'kms:Decrypt'],
  read: ['kms:Decrypt'],
  delete: [],
  rewrite: ['kms:GenerateDataKey', 'kms:Decrypt'],
};

/** Without it an absent object would be refused instead of absent. HEAD has no prefix to compare. */
function seeing(bucket: s3.IBucket, prefix: string): Grant {
  return {
    actions: ['s3:ListBucket'],
    resources: [bucket.bucketArn],
    ...(prefix !== '' && { conditions: { StringLikeIfExists: { 's3:prefix': `${prefix}*` } } }),
  };
}

/** What a role needs on a vault that is a bucket; nothing for one behind a secret. */
export function vaultAccess(scope: Construct, vault: Vault, use: VaultUse): Grant[] {
  if ('secret' in vault) return [];
  const { bucket, prefix, encryptionKey } = vault;
  const keys = encryptionKey === undefined || KEY_ACTIONS[use].length === 0 ? [] : [encryptionKey];
  return [
    {
      actions: OBJECT_ACTIONS[use],
      resources: [bucket.arnForObjects(`${prefix}*`)],
      pattern: 'The part of the bucket that is the vault.',
    },
    ...(use === 'delete' ? [] : [seeing(bucket, prefix)]),
    ...useKeys(scope, 's3', keys, KEY_ACTIONS[use]),
  ];
}
