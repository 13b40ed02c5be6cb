/** Whom `rewrap` wraps to. */
import type { Recipients } from '../config/settings.js';
import { SealdropError } from '../errors.js';
import type { Decryptor, Encryptor, Recipient } from '../ports.js';
import { printable } from '../printable.js';
import { openerOf } from '../transfer/rewrap/opener.js';
import { wantedKeys, type RewrapMode } from '../transfer/rewrap/recipients.js';
import type { RewrapJob } from '../transfer/rewrap/rewrap.js';
import type { Sealing } from '../transfer/rewrap/seal.js';
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
  const opened = await parts.openRecipients({ ...settings, ...keys, to: options.to });
  const alias = modeOf(options) === 'remove' ? opened.to.find(isAlias) : undefined;
  if (alias !== undefined)
    throw new SealdropError('usage', `${printable(alias.name)} is an alias, which no object names`, {
      hint: 'name the key to remove by its ARN: sealdrop inspect shows it',
    });
  return opened;
}

const isAlias = ({ namespace, name }: Recipient): boolean =>
  namespace === 'aws-kms' && !name.includes(':key/');

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
  const openers = new Map<Encryptor, Promise<Decryptor | undefined>>();
  return async (info, facts) => {
    const { keys, kept, already } = wantedKeys<Recipient>(info, facts, { mode, to, known });
    const sealing = await sealingFor(encryptorFor(keys), decryptor, openers);
    if (decryptor !== undefined && mode === 'add') {
      // What opens the old message is one of those that stay, or another key of the name was given.
      const proof = await sealingFor(encryptorFor(kept), decryptor, openers);
      if (proof.opener === undefined) throw doesNotStay();
    }
    if (decryptor !== undefined && sealing.opener === undefined) onUnopened();
    return { ...sealing, already: already && options.again !== true };
  };
}

const doesNotStay = (): SealdropError =>
  new SealdropError('key_required', 'the key that opens it is not among those it would be wrapped to', {
    hint: 'give the public halves of all that it is for, and a private key of one of them',
  });

/** The rehearsal is made once for each encryptor. */
async function sealingFor(
  encryptor: Encryptor,
  decryptor: Decryptor | undefined,
  openers: Map<Encryptor, Promise<Decryptor | undefined>>,
): Promise<Sealing> {
  if (decryptor === undefined) return { encryptor };
  const opener = openers.get(encryptor) ?? openerOf(encryptor, decryptor);
  openers.set(encryptor, opener);
  return { encryptor, opener: await opener };
}
