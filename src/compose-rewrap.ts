/** Keys for objects that are there already: those that they shall be for, and those that they may be for now. */
import { readOne, s3ecWrappingKeyFor, wrapper } from './compose-keys.js';
import type { RecipientSettings, Recipients } from './config/settings.js';
import type { Encryptor } from './ports.js';
import type { RecipientKey } from './keys/recipients.js';
import type { WrappingKey } from './keys/wrapping-keys.js';

/** @throws SealdropError where keys are missing, damaged or of the wrong kind */
export async function openRecipients(settings: RecipientSettings): Promise<Recipients> {
  const { wrappingKeysOf } = await import('./keys/wrapping-keys.js');
  const { createEncryptor } = await import('./envelope/esdk/encrypt.js');
  const { SIGNED_SUITE } = await import('./envelope/esdk/suites.js');
  const { keyAccess, suite, sign, frameLength, commitmentPolicy } = settings;
  const toWrappingKey = wrapper(keyAccess);
  const read = async (input: RecipientSettings['to'], called: string, which?: 'all') =>
    readOne(input, called, 'own', settings, which);
  const ready = async (keys: readonly RecipientKey[]) => {
    const ready: (WrappingKey & { retired?: boolean | undefined })[] = [];
    for (const key of keys) ready.push({ ...(await toWrappingKey(key)), retired: key.retired });
    return ready;
  };
  const to = await read(settings.to, 'the key set', settings.removes === true ? 'all' : undefined);
  if (settings.always)
    to.push(...(await read(settings.always, 'the own key set')).filter(({ always }) => always));
  const before: RecipientKey[] = [];
  for (const [i, input] of settings.known.entries())
    before.push(...(await read(input, `key ${i + 1}`, 'all')));
  const [wanted, known] = [await ready(to), await ready(before)];
  const encryptors = new Map<string, Encryptor>();
  return {
    to: wrappingKeysOf(wanted).recipients,
    s3ecKey: async () => s3ecWrappingKeyFor(to, keyAccess),
    known: known.map(({ recipient, retired }) => ({ ...recipient, ...(retired === true && { retired }) })),
    encryptorFor(recipients) {
      const ids = recipients.map(idOf);
      const id = JSON.stringify(ids);
      let encryptor = encryptors.get(id);
      if (encryptor === undefined) {
        const keys = [...wanted, ...known].filter(({ recipient }) => ids.includes(idOf(recipient)));
        encryptor = createEncryptor(wrappingKeysOf(keys), {
          suite: suite ?? (sign === true ? SIGNED_SUITE : undefined),
          frameLength,
          commitmentPolicy,
        });
        encryptors.set(id, encryptor);
      }
      return encryptor;
    },
  };
}

const idOf = ({ namespace, name, fingerprint }: WrappingKey['recipient']): string =>
  JSON.stringify([namespace, name, fingerprint]);
