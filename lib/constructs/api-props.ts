import type { Duration } from 'aws-cdk-lib';
import type * as logs from 'aws-cdk-lib/aws-logs';
import type { InboxSettings } from '../../src/contract.js';
import { assertDifferentSecrets, assertFolder } from './access.js';
import type { EncryptionGateway } from './encryption-gateway.js';
import type { NetworkProps } from './function.js';
import { assertWritesEsdk } from './gateway-settings.js';

/** Callers are roles and users of this account, who sign their requests; each has a prefix of its own. */
export interface IamCallers {
  readonly kind: 'iam';
  /**
   * From `ACCOUNT:role/NAME` or `ACCOUNT:user/NAME` to a prefix that ends in a slash. The name stands without the path
   * of the role or user: what a role signs with has none. Two callers may have one prefix, but none inside another.
   */
  readonly prefixes: Readonly<Record<string, string>>;
}

/** Callers bring a JSON Web Token, in which a claim is their prefix. Each route asks for a scope (`SCOPES`). */
export interface JwtCallers {
  readonly kind: 'jwt';
  readonly issuer: string;
  readonly audience: readonly string[];
  readonly claim: string;
}

export interface DecryptProps {
  /** Name of the secret with the private key set: with it, whoever breaks into this account can read the vault. */
  readonly privateKeySetSecretName: string;
  /** Only vault keys below these, which end in a slash, may be opened; counted below the vault's prefix. */
  readonly prefixes: readonly string[];
}

export interface GatewayApiProps {
  /** What it encrypts with. */
  readonly gateway: EncryptionGateway;
  readonly callers: IamCallers | JwtCallers;
  /** Name of the secret with the vault's address and credentials for reading. Not where the vault is a bucket. */
  readonly vaultReadSecretName?: string;
  /** The same for deleting: DELETE exists only with it. */
  readonly vaultDeleteSecretName?: string;
  /** Whether DELETE exists where the vault is a bucket. Default: no. */
  readonly allowDelete?: boolean;
  /** Default: nothing is decrypted, and no function of the API could. */
  readonly decrypt?: DecryptProps;
  /** How long a presigned upload is valid: at most an hour, as long as the role that signs it. Default: 15 minutes. */
  readonly uploadExpiry?: Duration;
  /** Requests a second, of all callers together. Default: 50, and 100 at once. */
  readonly throttle?: { readonly rate: number; readonly burst: number };
  /** Default: 3 months; the log of decryption one year, and it outlives the stack. */
  readonly logRetention?: logs.RetentionDays;
  /** Default: Lambda's own network. */
  readonly network?: NetworkProps;
}

/** @throws where a caller could reach more than its own, or a function would lack what it needs */
export function assertSafeApi({ gateway, callers, decrypt, uploadExpiry, ...props }: GatewayApiProps): void {
  if (uploadExpiry !== undefined && (uploadExpiry.toSeconds() < 1 || uploadExpiry.toSeconds() > 3600))
    throw new Error('uploadExpiry is at most one hour: the role that signs it has no longer session');
  if (callers.kind === 'iam') assertCallers(callers);
  else if (callers.audience.length === 0) throw new Error('callers with tokens need an audience');
  if (decrypt !== undefined) {
    if (decrypt.prefixes.length === 0) throw new Error('decrypt needs the prefixes that may be opened');
    decrypt.prefixes.forEach(assertFolder);
    // It opens only what was made for exactly the key that it lies under.
    assertWritesEsdk(gateway.encrypting.settings, 'decrypt');
  }
  if ('secret' in gateway.encrypting.vault) {
    if (props.vaultReadSecretName === undefined) throw new Error('the API needs vaultReadSecretName');
    if (props.allowDelete === true) throw new Error('to allow DELETE name vaultDeleteSecretName');
  } else if (props.vaultReadSecretName !== undefined || props.vaultDeleteSecretName !== undefined)
    throw new Error('the vault is a bucket: it is read and deleted from by roles, not by secrets');
  assertUploads(gateway.inboxes[0]!.settings, callers);
  const { settings, vault } = gateway.encrypting;
  assertDifferentSecrets({
    publicKeySetSecretName: settings.publicKeySet,
    vaultWriteSecretName: 'secret' in vault ? vault.secret : undefined,
    idempotencySecretName: settings.idempotency,
    vaultReadSecretName: props.vaultReadSecretName,
    vaultDeleteSecretName: props.vaultDeleteSecretName,
    privateKeySetSecretName: decrypt?.privateKeySetSecretName,
  });
}

function assertCallers({ prefixes }: IamCallers): void {
  for (const [caller, prefix] of Object.entries(prefixes)) {
    if (!/^[0-9]{12}:(role|user)\/[\w+=,.@-]+$/.test(caller))
      throw new Error(
        `not a caller: ${JSON.stringify(caller)}; write ACCOUNT:role/NAME or ACCOUNT:user/NAME, the name without the path`,
      );
    assertFolder(prefix);
    const around = Object.values(prefixes).find((other) => other !== prefix && prefix.startsWith(other));
    if (around !== undefined)
      throw new Error(
        `the prefix ${JSON.stringify(prefix)} lies in ${JSON.stringify(around)}: its caller’s objects would be another’s too`,
      );
  }
}

/** The functions refuse uploads whose vault keys would not lie below their callers' prefixes. */
function assertUploads({ template, prefix, encode }: InboxSettings, callers: IamCallers | JwtCallers): void {
  if (!template.startsWith('{rest}') && !(template.startsWith('{key}') && prefix === ''))
    throw new Error(
      'the API uploads into the first inbox, whose vaultKeyTemplate must be {rest}, or {key} where it has no prefix: else vault keys would leave their callers’ prefixes; that inbox is then the only one, others go into a deployment of their own',
    );
  const escaped =
    encode && callers.kind === 'iam'
      ? Object.values(callers.prefixes).find((each) => each.includes('%'))
      : undefined;
  if (escaped !== undefined)
    throw new Error(
      `uploads of the caller with the prefix ${JSON.stringify(escaped)} would leave it: the first inbox has encode, which escapes %`,
    );
}
