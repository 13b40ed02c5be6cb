/** Keys for objects that are there already: those that they shall be for, and those that they may be for now. */
import { readOne, wrapper } from './compose-keys.js';
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
  const read = async (input: RecipientSettings['to'], called: string, which = (_: RecipientKey) => true) => {
    const keys: WrappingKey[] = [];
    for (const key of (await readOne(input, called, 'own', settings)).filter(which))
      keys.push(await toWrappingKey(key));
    return keys;
  };
  const to = await read(settings.to, 'the key set');
  if (settings.always) to.push(...(await read(settings.always, 'the own key set', ({ always }) => always)));
  const known: WrappingKey[] = [];
  for (const [i, input] of settings.known.entries()) known.push(...(await read(input, `key ${i + 1}`)));
  const encryptors = new Map<string, Encryptor>();
  return {
    to: wrappingKeysOf(to).recipients,
    known: known.map(({ recipient }) => recipient),
    encryptorFor(recipients) {
      const wanted = recipients.map(idOf);
      const id = JSON.stringify(wanted);
      let encryptor = encryptors.get(id);
      if (encryptor === undefined) {
        const keys = [...to, ...known].filter(({ recipient }) => wanted.includes(idOf(recipient)));
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
