/**
 * What is known of stores, as data: where they are, and how they differ from S3 as AWS has it. A setting given by hand
 * goes before what stands here. Where a vendor doesn't document that it keeps conditions on writes, none are relied on.
 */
import { SealdropError } from '../errors.js';
import { ACCOUNTS, type ProviderName, type StoreTraits } from '../store-traits.js';

export interface Provider {
  readonly title: string;
  /** `{region}` and `{account}` stand for what has to be given. Undefined: everybody has an own one. */
  readonly endpoint?: string;
  /** The one region there is. */
  readonly region?: string;
  /** Where none is given. */
  readonly usualRegion?: string;
  readonly traits: StoreTraits;
  /** Bytes of names and values of metadata; sealdrop's own take less than 2,048. */
  readonly metadataBytes: number;
}

/** S3's own limit: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html */
const METADATA = 2048;

export const PROVIDERS_BY_NAME: Readonly<Record<ProviderName, Provider>> = {
  // The endpoint is that of its guide to client-side encryption; the region as with its predecessor.
  abci: {
    title: 'ABCI Cloud Storage (ABCI 3.0)',
    endpoint: 'https://s3.v3.abci.ai',
    region: 'us-east-1',
    traits: { conditionalWrites: 'none' },
    metadataBytes: METADATA,
  },
  // https://docs.abci.ai/en/abci-cloudstorage/usage/
  'abci-legacy': {
    title: 'ABCI Cloud Storage (ABCI 2.0)',
    endpoint: 'https://s3.abci.ai',
    region: 'us-east-1',
    traits: { conditionalWrites: 'none' },
    metadataBytes: METADATA,
  },
  // https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
  aws: { title: 'Amazon S3', traits: { conditionalWrites: 'all' }, metadataBytes: METADATA },
  // Tried, on servers started by the tests.
  minio: { title: 'MinIO', traits: { conditionalWrites: 'all' }, metadataBytes: METADATA },
  // Not tried. Its region (zone group) may have any name; newer releases keep conditions, `doctor` tells of older ones.
  ceph: {
    title: 'Ceph Object Gateway',
    usualRegion: 'default',
    traits: { conditionalWrites: 'all' },
    metadataBytes: METADATA,
  },
  // https://developers.cloudflare.com/r2/api/s3/api/ (region, conditions), /r2/platform/limits/ (parts, metadata,
  // one write a second for each key: answered with 429, hence the attempts), /r2/objects/multipart-objects/ (equal parts)
  r2: {
    title: 'Cloudflare R2',
    endpoint: 'https://{account}.r2.cloudflarestorage.com',
    region: 'auto',
    traits: { conditionalWrites: 'all', maxAttempts: 8 },
    metadataBytes: 8192,
  },
  // https://www.backblaze.com/docs/cloud-storage-call-the-s3-compatible-api (endpoint; the region is the bucket's own)
  b2: {
    title: 'Backblaze B2',
    endpoint: 'https://s3.{region}.backblazeb2.com',
    traits: { conditionalWrites: 'none' },
    metadataBytes: METADATA,
  },
  // https://docs.wasabi.com/docs/service-urls-for-wasabis-storage-regions
  wasabi: {
    title: 'Wasabi',
    endpoint: 'https://s3.{region}.wasabisys.com',
    usualRegion: 'us-east-1',
    traits: { conditionalWrites: 'none' },
    metadataBytes: METADATA,
  },
  // Its conditions on writes are headers of its own (x-goog-if-generation-match):
  // https://cloud.google.com/storage/docs/xml-api/reference-headers
  gcs: {
    title: 'Google Cloud Storage (XML API, HMAC keys)',
    endpoint: 'https://storage.googleapis.com',
    region: 'auto',
    traits: { conditionalWrites: 'none' },
    metadataBytes: METADATA,
  },
  // https://docs.oracle.com/en-us/iaas/Content/Object/Tasks/s3compatibleapi.htm (path style at this endpoint)
  oracle: {
    title: 'Oracle Cloud Infrastructure Object Storage',
    endpoint: 'https://{account}.compat.objectstorage.{region}.oraclecloud.com',
    traits: { conditionalWrites: 'none' },
    metadataBytes: METADATA,
  },
  // Itself knows what it takes.
  custom: { title: 'another store', traits: {}, metadataBytes: Infinity },
};

/**
 * The endpoint that a provider has in this region, or undefined where everybody has an own one.
 * @throws SealdropError `usage` where something is missing that its name is made of
 */
export function endpointOf(
  name: ProviderName,
  { region, account }: { region?: string | undefined; account?: string | undefined },
): string | undefined {
  const provider = PROVIDERS_BY_NAME[name];
  return provider.endpoint?.replace(/\{(region|account)\}/g, (_, what: 'region' | 'account') => {
    const value = what === 'region' ? region : account;
    if (!value)
      throw new SealdropError('usage', `the endpoint of ${provider.title} needs ${MISSING[what](name)}`, {
        hint: what === 'region' ? 'name it: --region REGION' : 'name it: --store-option account=NAME',
      });
    // It becomes part of a host's name, and must not become another host.
    if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(value))
      throw new SealdropError('usage', `${MISSING[what](name)} must be of letters, digits and hyphens`);
    return value;
  });
}

const MISSING = {
  region: () => 'a region',
  account: (name: ProviderName) => `an ${ACCOUNTS[name] ?? 'account'}`,
};

/** What holds for a store: what was given, and else what its provider has. */
export function traitsOf(name: ProviderName | undefined, given: StoreTraits = {}): StoreTraits {
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...PROVIDERS_BY_NAME[name ?? 'custom'].traits, ...(Object.fromEntries(set) as StoreTraits) };
}
