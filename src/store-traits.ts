/** In what stores differ that all call themselves S3-compatible, and the kinds of stores whose ways are known. */
import type { ChecksumMode } from './ports.js';

export const PROVIDERS = [
  'abci',
  'abci-legacy',
  'aws',
  'minio',
  'ceph',
  'r2',
  'b2',
  'wasabi',
  'gcs',
  'oracle',
  'custom',
] as const;
export type ProviderName = (typeof PROVIDERS)[number];

/** Whose endpoints begin with an account, and what it is called there. */
export const ACCOUNTS: Readonly<Partial<Record<ProviderName, string>>> = {
  r2: 'account id',
  oracle: 'Object Storage namespace',
};

/**
 * Which conditions on writes a store keeps: If-None-Match and If-Match, If-None-Match alone, or neither. What it doesn't
 * keep isn't sent: the object is looked at before, which leaves a moment for others.
 */
export const CONDITIONAL_WRITES = ['all', 'absent', 'none'] as const;
export type ConditionalWrites = (typeof CONDITIONAL_WRITES)[number];

/** Each is as the provider has it, where it isn't given. */
export interface StoreTraits {
  /** The bucket is in the path (`host/bucket/key`), and not in the name of the host. Default true. */
  pathStyle?: boolean | undefined;
  /** How uploads are checked. Default `auto`. */
  checksum?: ChecksumMode | undefined;
  /** Default `all`. */
  conditionalWrites?: ConditionalWrites | undefined;
  /** Version of the request that lists objects. Default 2, and 1 where the store says that it doesn't know that. */
  listVersion?: 1 | 2 | undefined;
  /** Whether keys are asked for percent-encoded in listings. Default `url`. */
  listEncoding?: 'url' | 'none' | undefined;
  /** Bytes of all parts but the last, at least. Default 5 MiB. */
  minPartSize?: number | undefined;
  /** Of one upload. Default 10,000. */
  maxParts?: number | undefined;
  /** Times that a request is sent before it fails. Default 5. */
  maxAttempts?: number | undefined;
}
