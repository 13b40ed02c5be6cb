/** Who calls, and which keys are theirs. */
import { SealdropError } from '../../errors.js';
import type { PrincipalSettings } from '../../contract.js';
import { keyProblem } from '../../vault-key.js';

export interface Principal {
  /** For logs. */
  readonly id: string;
  /** In front of every key, below the vault's own prefix. Ends in a slash. */
  readonly prefix: string;
}

/** What API Gateway's authorizer says, after it has checked the caller. */
export interface Authorizer {
  readonly iam?: { readonly accountId?: unknown; readonly userArn?: unknown } | null;
  readonly jwt?: { readonly claims?: Readonly<Record<string, unknown>> | null } | null;
}

/** @throws SealdropError `unauthorized` where nobody was authenticated, `forbidden` where the caller has no prefix */
export function principalOf(authorizer: Authorizer | undefined, settings: PrincipalSettings): Principal {
  return settings.kind === 'iam' ? fromIam(authorizer, settings) : fromJwt(authorizer, settings);
}

function fromIam(
  authorizer: Authorizer | undefined,
  settings: PrincipalSettings & { kind: 'iam' },
): Principal {
  const { accountId, userArn } = authorizer?.iam ?? {};
  if (typeof userArn !== 'string') throw unauthorized();
  const id = identityOf(userArn, accountId);
  const prefix = id !== undefined && Object.hasOwn(settings.prefixes, id) ? settings.prefixes[id] : undefined;
  return withPrefix(id ?? 'unknown', prefix);
}

/**
 * `ACCOUNT:role/NAME` or `ACCOUNT:user/NAME`. The name of a session is chosen by whoever begins it and does not count;
 * root and federated users have no name of that kind.
 */
function identityOf(arn: string, accountId: unknown): string | undefined {
  const role = /^arn:[a-z-]+:sts::(\d{12}):assumed-role\/([\w+=,.@-]+)\/[\w+=,.@-]+$/.exec(arn);
  const user = /^arn:[a-z-]+:iam::(\d{12}):user\/(?:[!-.0-~]+\/)*([\w+=,.@-]+)$/.exec(arn);
  const found = role ?? user;
  if (found === null || found[1] !== accountId) return undefined;
  return `${found[1]}:${role === null ? 'user' : 'role'}/${found[2]}`;
}

function fromJwt(
  authorizer: Authorizer | undefined,
  settings: PrincipalSettings & { kind: 'jwt' },
): Principal {
  const claims = authorizer?.jwt?.claims;
  if (claims === undefined || claims === null) throw unauthorized();
  const subject = Object.hasOwn(claims, 'sub') ? claims['sub'] : undefined;
  const prefix = Object.hasOwn(claims, settings.claim) ? claims[settings.claim] : undefined;
  return withPrefix(typeof subject === 'string' ? subject : 'unknown', prefix);
}

function withPrefix(id: string, prefix: unknown): Principal {
  if (typeof prefix === 'string' && prefixProblem(prefix) === undefined) return { id, prefix };
  throw new SealdropError('forbidden', 'the caller has no prefix of keys here', {
    hint: 'ask whoever runs this deployment to give you one; it ends in a slash',
  });
}

/** Why something is no prefix of a principal, or undefined if it is one. */
export function prefixProblem(prefix: string): string | undefined {
  if (!prefix.endsWith('/')) return 'it does not end in a slash';
  return keyProblem(prefix.slice(0, -1));
}

export function unauthorized(): SealdropError {
  return new SealdropError('unauthorized', 'credentials are missing or not valid');
}
