/** What may be read and written at all. Judged before any key is asked. */
import { SealdropError } from '../../errors.js';
import type { CommitmentPolicyName, ReadPolicy } from '../../ports.js';
import type { S3ecHeader } from './header.js';

/** What a reader was told goes before what the object's vault allows. */
export const policyOf = (own: ReadPolicy, allowed: ReadPolicy = {}): ReadPolicy => ({
  commitmentPolicy: own.commitmentPolicy ?? allowed.commitmentPolicy,
  allowLegacy: own.allowLegacy ?? allowed.allowLegacy,
});

/** @throws SealdropError `policy` */
export function assertAllowed({ version, content, wrap }: S3ecHeader, policy: ReadPolicy): void {
  const { commitmentPolicy = 'REQUIRE_ENCRYPT_REQUIRE_DECRYPT', allowLegacy = false } = policy;
  const needsLegacy = !allowLegacy && (content.legacy || wrap.legacy);
  if (!content.committing && commitmentPolicy === 'REQUIRE_ENCRYPT_REQUIRE_DECRYPT')
    throw new SealdropError('policy', `the object does not commit to its data key (format V${version})`, {
      hint: `the store could have stripped that off; if you trust it: --commitment-policy REQUIRE_ENCRYPT_ALLOW_DECRYPT${needsLegacy ? ' with --allow-legacy' : ''}, or the vault's ${needsLegacy ? 'settings commitmentPolicy and allowLegacy' : 'setting commitmentPolicy'}`,
    });
  if (allowLegacy) return;
  if (content.legacy)
    throw new SealdropError('policy', `the object's content is unauthenticated (${content.name})`, {
      hint: 'whoever runs the store can have changed it unseen; if you trust them: --allow-legacy',
    });
  if (wrap.legacy)
    throw new SealdropError('policy', `the object's data key is wrapped in a legacy way (${wrap.name})`, {
      hint: 'nothing binds it to how the content is encrypted; if you trust who runs the store: --allow-legacy',
    });
}

/**
 * Where no policy is named, the format decides.
 * @throws SealdropError `usage`
 */
export function assertMayWrite(version: 2 | 3, policy: CommitmentPolicyName | undefined): void {
  if (policy === undefined || (policy === 'FORBID_ENCRYPT_ALLOW_DECRYPT') === (version === 2)) return;
  throw new SealdropError(
    'usage',
    `the commitment policy ${policy} ${version === 2 ? 'requires key commitment, and V2 has none' : 'forbids key commitment, and V3 has it'}`,
    {
      hint:
        version === 2
          ? '--format s3ec, or --commitment-policy FORBID_ENCRYPT_ALLOW_DECRYPT'
          : '--format s3ec-v2, or --commitment-policy REQUIRE_ENCRYPT_REQUIRE_DECRYPT',
    },
  );
}
