/** Whom `rewrap` wraps to. */
import type { Recipients, Rewrapping } from '../config/settings.js';
import { SealdropError } from '../errors.js';
import type { Decryptor, Recipient } from '../ports.js';
import { printable } from '../printable.js';
import { Rehearsal } from '../transfer/rewrap/opener.js';
import { assertNoneRetired, wantedKeys, type RewrapMode } from '../transfer/rewrap/recipients.js';
import type { HeaderTarget } from '../transfer/rewrap/rewrap-header.js';
import type { RewrapJob } from '../transfer/rewrap/rewrap.js';
import type { Environment } from './command.js';
import * as shared from './options.js';

export interface RewrapKeyOptions extends shared.EncryptOptions {
  to: string;
  add?: boolean;
  remove?: boolean;
  again?: boolean;
}

export const modeOf = ({ add, remove }: RewrapKeyOptions): RewrapMode =>
  add === true ? 'add' : remove === true ? 'remove' : 'set';

/** Those that stay are found among all keys given. @throws SealdropError as `openRecipients`, `usage` */
export async function openRewrapKeys(options: RewrapKeyOptions, { parts }: Environment): Promise<Recipients> {
  const { publicKeys = [], recipients = [], keySet, format, ...settings } = shared.encryptSettings(options);
  if (format === 'plain') throw new SealdropError('usage', 'a plain object is wrapped to nobody');
  // Whom nothing is kept of, nobody needs to know.
  const keys =
    modeOf(options) === 'set'
      ? { known: [], always: keySet }
      : { known: [...publicKeys, ...recipients, ...(keySet ? [keySet] : [])] };
  const removes = modeOf(options) === 'remove';
  const opened = await parts.openRecipients({ ...settings, ...keys, to: options.to, removes });
  const alias = removes ? opened.to.find(isAlias) : undefined;
  if (alias !== undefined)
    throw new SealdropError('usage', `${printable(alias.name)} is an alias, which no object names`, {
      hint: 'name the key to remove by its ARN: sealdrop inspect shows it',
    });
  return opened;
}

export const isKms = ({ namespace }: Recipient): boolean => namespace === 'aws-kms';

const isAlias = (key: Recipient): boolean => isKms(key) && !key.name.includes(':key/');

/**
 * What a rewrap is given: objects of the same recipients share an encryptor.
 * @param onUnopened told where nothing given opens what is made; may throw
 */
export function recipientsOf(
  { to, known, encryptorFor }: Recipients,
  options: RewrapKeyOptions,
  decryptor: Decryptor | undefined,
  onUnopened: () => void,
): RewrapJob['recipients'] {
  const mode = modeOf(options);
  const rehearsal = decryptor === undefined ? undefined : new Rehearsal(decryptor);
  return async (info, facts, context) => {
    const { keys, kept, already: isDone } = wantedKeys<Recipient>(info, facts, { mode, to, known });
    const already = isDone && options.again !== true;
    if (!already) assertNoneRetired(keys);
    const encryptor = encryptorFor(keys);
    if (rehearsal === undefined) return { encryptor, already };
    const opener = await rehearsal.openerOf(encryptor, context);
    // What opens the old message is one of those that stay, or another key of the name was given.
    if (mode === 'add' && (await rehearsal.openerOf(encryptorFor(kept), context)) === undefined)
      throw doesNotStay();
    if (opener === undefined) onUnopened();
    return { encryptor, opener, already };
  };
}

/** S3 Encryption Client objects have one wrapping key: there is nothing to add to it, or to leave of it. */
export function headersOf(
  { s3ecKey }: Recipients,
  options: RewrapKeyOptions,
  opened: Rewrapping | undefined,
  onUnopened: () => void,
): HeaderTarget {
  const to = once(async () => {
    const mode = modeOf(options);
    if (mode === 'set') return s3ecKey();
    throw new SealdropError('usage', `an s3ec object has one wrapping key: --${mode} is for --format esdk`, {
      hint: 'name the key that it shall be for with --to alone',
    });
  });
  return {
    to,
    open: once(async () => opened!.headerRewrapper(await to())),
    // What an alias stands for may have changed since.
    again: (recipient) => options.again === true || isAlias(recipient),
    onUnopened,
  };
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}

const doesNotStay = (): SealdropError =>
  new SealdropError('key_required', 'the key that opens it is not among those it would be wrapped to', {
    hint: 'give the public halves of all that it is for, and a private key of one of them',
  });
