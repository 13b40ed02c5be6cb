/** Credentials for AWS and the stores that speak its language, from where AWS's own tools look. */
import { fromNodeProviderChain } from '@aws-sdk/credential-providers';
import { SealdropError } from './errors.js';
import { printable } from './printable.js';

type Chain = ReturnType<typeof fromNodeProviderChain>;

export interface CredentialOptions {
  /** A profile of the AWS configuration files. Default: AWS_PROFILE, or none. */
  profile?: string | undefined;
  /** Asks for the token code of the device that a profile's role wants. */
  mfaCode?: ((device: string) => Promise<string>) | undefined;
}

/** What the SDK has to say is for whoever writes programs with it. */
const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

/** A token code works once: whoever asks for the same profile shares its session. */
const sessions = new Map<string, Chain>();

/**
 * Environment, profiles, SSO and roles. What it throws is the SDK's, but for a named profile without credentials.
 */
export function awsCredentials({ profile, mfaCode }: CredentialOptions = {}): Chain {
  const named = profile ?? process.env.AWS_PROFILE;
  if (!named) return fromNodeProviderChain({ logger: SILENT });
  const shared = sessions.get(named);
  if (shared !== undefined) return shared;
  const chain = fromNodeProviderChain({
    ...(profile !== undefined && { profile }),
    ...(mfaCode !== undefined && { mfaCodeProvider: mfaCode }),
    logger: SILENT,
  });
  const session: Chain = async (options) =>
    chain(options).catch((cause: unknown) => {
      if ((cause as Error).name !== 'CredentialsProviderError') throw cause;
      throw new SealdropError('credentials_missing', `the profile ${printable(named)} gives no credentials`, {
        cause,
        hint: 'check its name, and what ~/.aws/credentials and ~/.aws/config have under it',
      });
    });
  const kept = mfaCode === undefined ? session : remembered(session);
  sessions.set(named, kept);
  return kept;
}

/** Seconds that credentials must still be good for. */
const MARGIN = 300;

/** One question, however many clients ask at the same time. */
function remembered(provide: Chain): Chain {
  let held: ReturnType<Chain> | undefined;
  return async (options) => {
    const credentials = await held?.catch(() => undefined);
    const until = credentials?.expiration?.getTime() ?? Infinity;
    if (credentials === undefined || until - Date.now() < MARGIN * 1000) held = provide(options);
    return held!;
  };
}
