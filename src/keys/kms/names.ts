/** What keys of AWS KMS are called. */
import { createHash } from 'node:crypto';
import { SealdropError } from '../../errors.js';
import type { PublicKeyInfo } from '../../ports.js';
import { printable } from '../../printable.js';
import { KMS_NAMESPACE } from '../key-set-document.js';

export interface KmsKeyName {
  /** As KMS is asked for it: an ARN, or `alias/NAME`. */
  readonly id: string;
  /** Undefined: the one that AWS's settings name. */
  readonly region: string | undefined;
  /** Whether it names one key for good: an alias may come to mean another. */
  readonly isKey: boolean;
}

const ARN = /^arn:(aws[a-z0-9-]*):kms:([a-z0-9-]+):(\d{12}):(key|alias)\/([\w/-]{1,256})$/;
const ALIAS = /^alias\/[\w/-]{1,250}$/;

/**
 * @param where what the user called it, for messages
 * @throws SealdropError `invalid_key`
 */
export function parseKmsKey(id: string, where: string): KmsKeyName {
  const arn = parseKmsArn(id);
  if (arn !== undefined) return { id, region: arn.region, isKey: arn.kind === 'key' };
  if (ALIAS.test(id)) return { id, region: undefined, isKey: false };
  throw new SealdropError('invalid_key', `${where}: ${printable(id)} is no key of AWS KMS`, {
    hint: 'name it by its ARN (arn:aws:kms:REGION:ACCOUNT:key/ID or :alias/NAME), or as alias/NAME',
  });
}

export interface KmsArn {
  readonly partition: string;
  readonly region: string;
  readonly account: string;
  readonly kind: 'key' | 'alias';
}

export function parseKmsArn(text: string): KmsArn | undefined {
  const [, partition, region, account, kind] = ARN.exec(text) ?? [];
  return kind === undefined
    ? undefined
    : { partition: partition!, region: region!, account: account!, kind: kind as KmsArn['kind'] };
}

/** A key as everybody may know it. */
export const kmsKeyInfo = (id: string): PublicKeyInfo => ({
  namespace: KMS_NAMESPACE,
  name: id,
  fingerprint: kmsFingerprint(id),
});

/** Of a key whose public half nobody has: SHA-256 of what it is called, base64url. */
export const kmsFingerprint = (id: string): string => createHash('sha256').update(id).digest('base64url');
