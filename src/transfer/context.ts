/** The encryption context of sealdrop's objects: what binds a message to the key it is stored under. */
import { SealdropError } from '../errors.js';
import type { MessageInfo } from '../ports.js';
import { printable } from '../printable.js';

type Pairs = Readonly<Record<string, string>>;

const KEY_PAIR = 'sealdrop:key';
const RESERVED = ['sealdrop:', 'aws-crypto-'];

/**
 * @param key the vault key, or undefined for a message that is stored nowhere (it stays unbound)
 * @throws SealdropError `reserved_context`
 */
export function objectContext(key: string | undefined, pairs: Pairs = {}): Pairs {
  for (const name of Object.keys(pairs)) {
    const prefix = RESERVED.find((reserved) => name.startsWith(reserved));
    if (prefix !== undefined)
      throw new SealdropError('reserved_context', `the context name ${printable(name)} is reserved`, {
        hint: `names that begin with ${prefix} belong to the format: choose another`,
      });
  }
  return key === undefined ? { ...pairs } : { ...pairs, [KEY_PAIR]: key };
}

export interface Binding {
  /** What to do with messages that name no key. `required`: refuse them. */
  binding: 'required' | 'allow';
  /** Accept a message that was made for another key. */
  moved?: boolean;
  /** Accept a message that names no key, though the vault requires it. */
  unbound?: boolean;
  /** Pairs that the message must carry. */
  context?: Pairs;
}

export type Bound = 'bound' | 'moved' | 'unbound';

/** Judges an authenticated header. @throws SealdropError `wrong_object` */
export function checkBinding(info: MessageInfo, key: string | undefined, rules: Binding): Bound {
  for (const [name, value] of Object.entries(rules.context ?? {})) {
    if (info.context[name] === value) continue;
    throw new SealdropError(
      'wrong_object',
      `the message's context does not have ${printable(`${name}=${value}`)}`,
      {
        hint:
          info.description?.[name] === value
            ? 'its material description has it, which nothing authenticates: only a KMS key makes a context of it'
            : 'sealdrop inspect shows the context that it has',
      },
    );
  }
  const made = info.context[KEY_PAIR];
  if (made === undefined) return checkUnbound(rules);
  if (made === key) return 'bound';
  if (rules.moved === true) return 'moved';
  const asked = key === undefined ? 'no key' : printable(key);
  throw new SealdropError(
    'wrong_object',
    `the message was made for the key ${printable(made)}, not for ${asked}`,
    {
      hint: 'somebody may have swapped two objects; if it was moved or copied on purpose: --moved opens it, and sealdrop rewrap --rebind binds it to its new key (sealdrop mv and cp do so themselves)',
    },
  );
}

function checkUnbound(rules: Binding): Bound {
  if (rules.binding === 'allow' || rules.unbound === true) return 'unbound';
  throw new SealdropError('wrong_object', 'the message names no key, and this vault takes none like that', {
    hint: 'another program wrote it, or somebody put it there; if that is expected: --unbound',
  });
}
