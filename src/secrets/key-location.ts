import { SealdropError } from '../errors.js';
import { printable } from '../printable.js';

/** Where a key, or a key set, is kept. */
export type KeyLocation =
  | { readonly kind: 'file'; readonly path: string }
  /** Name or ARN of a secret of AWS Secrets Manager. */
  | { readonly kind: 'secret'; readonly name: string }
  /** Name or ARN of a parameter of AWS Systems Manager: for public halves only. */
  | { readonly kind: 'parameter'; readonly name: string };

const SCHEMES = { 'secretsmanager:': 'secret', 'ssm:': 'parameter' } as const;

/**
 * A path, `secretsmanager:NAME` or `ssm:NAME`. A file whose name begins so is written `./ssm:x`.
 * @throws SealdropError `usage`
 */
export function parseKeyLocation(text: string): KeyLocation {
  for (const [scheme, kind] of Object.entries(SCHEMES))
    if (text.startsWith(scheme)) {
      const name = text.slice(scheme.length);
      if (name.trim() !== '') return { kind, name };
      throw new SealdropError('usage', `${printable(text)} names nothing`, {
        hint: `${scheme}NAME is meant`,
      });
    }
  return { kind: 'file', path: text };
}

/** As the user wrote it, for messages. */
export function shownLocation(location: KeyLocation): string {
  if (location.kind === 'file') return printable(location.path);
  return `${location.kind === 'secret' ? 'secretsmanager' : 'ssm'}:${printable(location.name)}`;
}
