import type { Duration } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { BACK_OFF, type EncryptingSettings } from '../../src/contract.js';
import { assertDifferentSecrets, assertSecretName } from './access.js';
import type { EncryptionGatewayProps } from './gateway-props.js';
import { IdempotencySecret } from './idempotency-secret.js';
import { overlap, place, type Inbox } from './inboxes.js';
import { vaultSettings, type Vault } from './vault.js';

/** Time of a run that no object gets: to start, to verify, to answer. */
const OVERHEAD_SECONDS = 60;

const SLOWEST_BYTES_PER_SECOND = 12 * 1024 * 1024;

/** How large an object is stored in time by a vault that is slow, but not too slow to be used. */
export function bytesWithin(timeout: Duration): number {
  return (timeout.toSeconds() - OVERHEAD_SECONDS) * SLOWEST_BYTES_PER_SECOND;
}

/** @throws where the gateway could lose something, or encrypt what it has encrypted */
export function assertSafe(props: EncryptionGatewayProps, inboxes: readonly Inbox[], vault: Vault): void {
  const { afterStore, timeout, retryAfter, secretsTtl, deployment } = props;
  if (deployment !== undefined && !/^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/.test(deployment))
    throw new Error(`deployment is 1 to 64 letters, digits and hyphens, not ${JSON.stringify(deployment)}`);
  if (timeout !== undefined && timeout.toSeconds() < 2 * OVERHEAD_SECONDS)
    throw new Error('timeout is at least 2 minutes');
  if (
    retryAfter !== undefined &&
    (retryAfter.toSeconds() < 1 || retryAfter.toSeconds() > BACK_OFF.lastSeconds)
  )
    throw new Error('retryAfter is 1 second to 15 minutes');
  if (secretsTtl !== undefined && secretsTtl.toSeconds() < 1)
    throw new Error('secretsTtl is at least 1 second');
  if (afterStore === 'delete' && inboxes.some(({ settings }) => !settings.versioned))
    throw new Error(
      'afterStore "delete" needs versioned inboxes: only a version can be deleted that nothing has replaced; say versioned: true of a bucket that is',
    );
  assertOneKey(props);
  for (const { settings } of inboxes) assertOutside(settings, vault);
  const { publicKeySetSecretName, vaultWriteSecretName, idempotencySecretName } = props;
  assertDifferentSecrets({ publicKeySetSecretName, vaultWriteSecretName, idempotencySecretName });
}

/** As far as it can be seen here: the public key set is read when something is encrypted. */
function assertOneKey({ format = 'esdk', wrappingKeys = [] }: EncryptionGatewayProps): void {
  if (format === 'esdk' || wrappingKeys.length < 2) return;
  throw new Error(
    `an object of the format ${format} is for one key, and there are ${wrappingKeys.length} wrappingKeys; name one, or write esdk`,
  );
}

/** @throws where a gateway writes objects that `what` can't open or check */
export function assertWritesEsdk(
  { format = 'esdk' }: Pick<EncryptingSettings, 'format'>,
  what: string,
): void {
  if (format === 'esdk') return;
  throw new Error(`${what} is for a gateway that writes esdk, and this one writes ${format}`);
}

function assertOutside(inbox: Inbox['settings'], vault: Vault): void {
  if ('secret' in vault || vault.bucket.bucketName !== inbox.bucket) return;
  if (overlap(vault.prefix, inbox.prefix))
    throw new Error(
      `the vault and the inbox ${place(inbox)} overlap: what is stored would be encrypted again; name prefixes that lie apart, or another bucket`,
    );
}

/** What everything that encrypts is told. Makes the idempotency secret where none is named. */
export function encryptingSettings(
  scope: Construct,
  props: EncryptionGatewayProps,
  { deployment, vault }: { deployment: string; vault: Vault },
): EncryptingSettings {
  const idempotency =
    props.idempotencySecretName ??
    new IdempotencySecret(scope, 'Idempotency', { deployment, encryptionKey: props.secretKeys?.[0] })
      .secretName;
  const named = [props.publicKeySetSecretName, props.vaultWriteSecretName, props.idempotencySecretName];
  for (const name of named) if (name !== undefined) assertSecretName(name);
  return {
    deployment,
    format: props.format,
    publicKeySet: props.publicKeySetSecretName,
    keyNames: props.keyNames ?? {},
    wrapsByKms: (props.wrappingKeys ?? []).length > 0 || undefined,
    vault: vaultSettings(scope, vault),
    idempotency,
    secretsTtlSeconds: props.secretsTtl?.toSeconds() ?? 300,
  };
}
