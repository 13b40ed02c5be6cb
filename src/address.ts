/** Addresses as users type them. Keys and paths are taken literally: nothing is percent-decoded. */
import { SealdropError } from './errors.js';
import { printable } from './printable.js';

export type Address =
  | { readonly kind: 's3'; readonly bucket: string; readonly key: string }
  /** `named` is true for `file://`, false for a bare path. */
  | { readonly kind: 'file'; readonly path: string; readonly named: boolean }
  /** A key in a vault of the configuration: `lab:data/x`. */
  | { readonly kind: 'named'; readonly vault: string; readonly key: string }
  | { readonly kind: 'stdio' };

/** @throws SealdropError `usage` */
export function parseAddress(text: string): Address {
  if (text === '-') return { kind: 'stdio' };
  const s3 = /^s3:\/\/([^/]*)(?:\/(.*))?$/s.exec(text);
  if (s3) {
    const [, bucket = '', key = ''] = s3;
    if (bucket === '') throw badAddress(text, 'it names no bucket');
    return { kind: 's3', bucket, key };
  }
  if (text.startsWith('file://')) {
    const path = text.slice('file://'.length);
    if (!path.startsWith('/'))
      throw badAddress(text, 'the path must begin with a slash: file:///directory/key');
    // As in S3, nothing is tidied up: an object must not have two addresses.
    const odd = path
      .slice(1)
      .replace(/\/$/, '')
      .split('/')
      .find((part) => ['', '.', '..'].includes(part));
    if (path !== '/' && odd !== undefined)
      throw new SealdropError(
        'key_not_storable',
        `${printable(text)} has an empty segment, or one that is . or ..`,
        {
          hint: 'write the path out, without // and without dots',
        },
      );
    return { kind: 'file', path, named: true };
  }
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(text);
  if (scheme) throw badAddress(text, `${scheme[0]} is not a kind of address`);
  const named = /^([A-Za-z][A-Za-z0-9-]{0,39}):(.*)$/s.exec(text);
  if (named) return { kind: 'named', vault: named[1]!, key: named[2]! };
  if (text === '') throw badAddress(text, 'it is empty');
  return { kind: 'file', path: text, named: false };
}

function badAddress(text: string, why: string): SealdropError {
  return new SealdropError('usage', `${printable(text) || 'the address'} cannot be used: ${why}`, {
    hint: 'an address is s3://bucket/key, file:///directory/key, NAME:key for a configured vault, or - for standard input or output',
  });
}
