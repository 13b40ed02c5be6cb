/** Which inbox an object belongs to; events never say where a store is. */
import type { InboxSettings } from '../contract.js';
import { SealdropError } from '../errors.js';
import { printable } from '../printable.js';
import { assertTemplate, headOf, writtenHeadOf } from './key-template.js';

/** @throws SealdropError `foreign_bucket`, `foreign_key` */
export function inboxOf(
  inboxes: readonly InboxSettings[],
  { bucket, key }: { bucket: string; key: string },
): InboxSettings {
  const ofBucket = inboxes.filter((inbox) => inbox.bucket === bucket);
  if (ofBucket.length === 0)
    throw new SealdropError('foreign_bucket', `${printable(bucket)} is no inbox of this deployment`);
  const matching = ofBucket.filter(({ prefix, suffix }) => key.startsWith(prefix) && key.endsWith(suffix));
  const [longest] = matching.sort((a, b) => b.prefix.length - a.prefix.length);
  if (longest !== undefined) return longest;
  throw new SealdropError(
    'foreign_key',
    `s3://${printable(bucket)}/${printable(key)} lies outside of the prefix and suffix of the inbox`,
  );
}

/**
 * Different sources must not come to one vault key.
 * @throws SealdropError `usage`
 */
export function assertDistinct(inboxes: readonly InboxSettings[]): void {
  for (const { template } of inboxes) assertTemplate(template);
  inboxes.forEach((a, i) => {
    for (const b of inboxes.slice(i + 1)) {
      // One function of one set of keys.
      if (
        a.bucket === b.bucket &&
        a.prefix === b.prefix &&
        a.template === b.template &&
        a.encode === b.encode
      )
        continue;
      // Two keys that differ differ escaped, too; one that is and one that isn't may be written alike.
      const head = a.encode === b.encode ? headOf : writtenHeadOf;
      if (overlap(head(a), head(b)))
        throw new SealdropError(
          'usage',
          `the inboxes ${shown(a)} and ${shown(b)} would put objects under the same vault keys`,
          { hint: 'give each a template that begins with a word of its own, such as {bucket}/{key}' },
        );
    }
  });
}

/**
 * @param vault the vault, if it is at the same store as the inboxes
 * @throws SealdropError `usage` where ciphertext would be encrypted again
 */
export function assertApartFromVault(
  inboxes: readonly InboxSettings[],
  vault: { bucket: string; prefix: string } | undefined,
): void {
  const inbox = inboxes.find((each) => each.bucket === vault?.bucket && overlap(each.prefix, vault.prefix));
  if (inbox === undefined) return;
  throw new SealdropError('usage', `the inbox ${shown(inbox)} and the vault ${shown(vault!)} overlap`, {
    hint: 'ciphertext would be encrypted again: name prefixes that lie apart, or another bucket',
  });
}

const overlap = (a: string, b: string): boolean => a.startsWith(b) || b.startsWith(a);

const shown = ({ bucket, prefix }: { bucket: string; prefix: string }): string =>
  `s3://${printable(bucket)}/${printable(prefix)}`;
