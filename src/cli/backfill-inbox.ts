import { SealdropError } from '../errors.js';
import { printable } from '../printable.js';

/** As a deployment's outputs name its inboxes. */
export interface InboxFilter {
  readonly bucket: string;
  readonly prefix: string;
  readonly suffix: string;
}

/**
 * The one inbox that is meant. Where none are known, the bucket itself.
 * @throws SealdropError `usage`
 */
export function inboxFor(
  inboxes: readonly InboxFilter[],
  { bucket, prefix }: { bucket?: string; prefix?: string },
): InboxFilter {
  if (inboxes.length === 0) {
    if (bucket !== undefined) return { bucket, prefix: '', suffix: '' };
    throw new SealdropError('usage', 'no bucket is named', { hint: 'name it: --bucket NAME' });
  }
  const meant = inboxes.filter(
    (inbox) =>
      (bucket === undefined || inbox.bucket === bucket) &&
      (prefix === undefined || prefix.startsWith(inbox.prefix)),
  );
  const known = inboxes.map((inbox) => `s3://${inbox.bucket}/${inbox.prefix}`).join(', ');
  if (meant.length === 1) return meant[0]!;
  throw new SealdropError(
    'usage',
    meant.length === 0 ? 'that is none of the deployment’s inboxes' : 'the deployment has several inboxes',
    { hint: printable(`name one of them with --bucket and --prefix: ${known}`) },
  );
}
