/** Statements that several roles are made of. */
import { ArnFormat, Stack } from 'aws-cdk-lib';
import type * as kms from 'aws-cdk-lib/aws-kms';
import type { Construct } from 'constructs';
import type { Grant } from './acknowledge.js';

/**
 * Reading secrets by name, and decrypting them with the customer keys that they may be encrypted with. Secrets Manager
 * ends a secret's ARN with six random characters: `-??????` stands for them and for nothing longer, so that `a` does
 * not open `a-b`.
 */
export function readSecrets(scope: Construct, names: readonly string[], keys: readonly kms.IKey[]): Grant[] {
  if (names.length === 0) return [];
  const stack = Stack.of(scope);
  const resources = names.map((name) =>
    stack.formatArn({
      service: 'secretsmanager',
      resource: 'secret',
      resourceName: `${name}-??????`,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    }),
  );
  return [
    { actions: ['secretsmanager:GetSecretValue'], resources },
    ...useKeys(scope, 'secretsmanager', keys),
  ];
}

/** @throws where a name could stand for more than one secret */
export function assertSecretName(name: string): void {
  if (!/^[\w/+=.@-]{1,512}$/.test(name))
    throw new Error(`not the name of a secret: ${JSON.stringify(name)}; give its name, not its ARN`);
}

/**
 * One secret for two things would give whoever needs the one the other as well.
 * @param named by what calls for them
 * @throws where two of them are the same
 */
export function assertDifferentSecrets(named: Readonly<Record<string, string | undefined>>): void {
  const seen = new Map<string, string>();
  for (const [what, name] of Object.entries(named)) {
    if (name === undefined) continue;
    const other = seen.get(name);
    if (other !== undefined)
      throw new Error(`${other} and ${what} are the same secret, ${name}: each has one of its own`);
    seen.set(name, what);
  }
}

/** @throws where a policy could not hold a part of a key, or would take it for a pattern */
export function assertLiteral(what: string, part: string): void {
  if (/[*?$]/.test(part))
    throw new Error(`${what} ${JSON.stringify(part)} holds *, ? or $: policies take them for patterns`);
  if (!/^[ -~]*$/.test(part))
    throw new Error(`${what} ${JSON.stringify(part)} is not printable ASCII, and policies hold nothing else`);
}

/** Whether a segment is one that stores alias. */
export const hasUnstorablePart = (key: string): boolean =>
  key.split('/').some((segment) => ['', '.', '..'].includes(segment));

/** @throws where nothing could be stored below it */
export function assertFolder(prefix: string): void {
  if (!prefix.endsWith('/') || hasUnstorablePart(prefix.slice(0, -1)))
    throw new Error(
      `not a prefix: ${JSON.stringify(prefix)}; it ends in a slash and has no empty, . or .. part`,
    );
}

/** Using customer keys for one service alone, in this region: never directly. */
export function useKeys(
  scope: Construct,
  service: 's3' | 'secretsmanager',
  keys: readonly kms.IKey[],
  actions: readonly string[] = ['kms:Decrypt'],
): Grant[] {
  if (keys.length === 0) return [];
  const { region, urlSuffix } = Stack.of(scope);
  return [
    {
      actions: [...actions],
      resources: keys.map((key) => key.keyArn),
      conditions: { StringEquals: { 'kms:ViaService': `${service}.${region}.${urlSuffix}` } },
    },
  ];
}

/**
 * Refuses, in a resource's own policy, whoever is neither of this account nor a service of AWS. Requests without
 * credentials say neither; no policy allows them anything. (BoolIfExists would refuse services where nothing says what
 * they are, as on ministack.)
 */
export function otherAccounts(scope: Construct): Record<string, unknown> {
  return {
    StringNotEquals: { 'aws:PrincipalAccount': Stack.of(scope).account },
    Bool: { 'aws:PrincipalIsAWSService': 'false' },
  };
}
