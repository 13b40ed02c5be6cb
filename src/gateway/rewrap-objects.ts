/**
 * What a run on AWS asks of the function that rewraps: a list of the vault's keys, and then each object. Whatever it
 * opens goes back into its own place, encrypted to the deployment's present keys.
 */
import { randomUUID } from 'node:crypto';
import type { ListEvent, Outcome, OutcomeReport, VaultList } from '../contract.js';
import { isSealdropError, SealdropError, type ErrorCode } from '../errors.js';
import type { Decryptor, Encryptor, Inspector, ObjectStore } from '../ports.js';
import { printable, printableJson, shellQuoted } from '../printable.js';
import { assertKeepsConditions } from '../transfer/rewrap/keeps-conditions.js';
import type { Rehearsal } from '../transfer/rewrap/opener.js';
import { wantedKeys } from '../transfer/rewrap/recipients.js';
import { rewrap, type RewrapReport } from '../transfer/rewrap/rewrap.js';
import type { DirectObject } from './delivery.js';
import { fieldsOf } from './object-created.js';
import { codeOf } from './permanent.js';
import type { TimeBudget } from './time-budget.js';

export interface RewrapParts {
  readonly store: ObjectStore;
  /** The vault's. */
  readonly bucket: string;
  /** In front of every vault key: empty, or with a slash at its end. */
  readonly prefix: string;
  /** Undefined: at AWS. */
  readonly endpoint?: string | undefined;
  /** Of those that the objects are for afterwards. */
  readonly encryptor: Encryptor;
  /** Opens what is there, and what the encryptor makes. */
  readonly decryptor: Decryptor;
  readonly rehearsal: Rehearsal;
  readonly inspector: Inspector;
}

/**
 * Nobody is there to be told that what is made cannot be proven: it is not made.
 * @throws SealdropError `key_required`
 */
export async function assertOpens(
  rehearsal: Rehearsal,
  encryptor: Encryptor,
  context: Readonly<Record<string, string>>,
): Promise<Decryptor> {
  const opener = await rehearsal.openerOf(encryptor, context);
  if (opener !== undefined) return opener;
  throw new SealdropError('key_required', 'the private key set opens nothing of what would be made', {
    hint: 'publish both sets from where the keys are: sealdrop keys publish --with-private',
  });
}

/** Where lists of keys are put. The prefix ends in a slash. */
export interface Lists {
  readonly store: ObjectStore;
  readonly prefix: string;
}

export interface RewrapOptions {
  readonly withParts: <T>(use: (parts: RewrapParts) => Promise<T>) => Promise<T>;
  readonly budget: TimeBudget;
}

/** @throws SealdropError `event_malformed` */
export function listRequestOf(event: unknown): ListEvent['list'] | undefined {
  const { list } = fieldsOf(event, 'an event');
  if (list === undefined) return undefined;
  const { prefix, dryRun, run } = fieldsOf(list, 'list');
  // The run's name ends up in a key.
  const named = typeof run === 'string' && /^[\w.-]{1,80}$/.test(run);
  if (named && typeof prefix === 'string' && typeof dryRun === 'boolean') return { prefix, dryRun, run };
  throw new SealdropError('event_malformed', 'list must have a prefix, dryRun, and the name of a run');
}

/**
 * Writes down what there is to do. Anything that would fail every object fails here, before one is replaced.
 * @throws SealdropError what the secrets, the vault and the lists' store fail with, `condition_not_kept`, `key_required`
 */
export async function listVault(
  { prefix, dryRun, run }: ListEvent['list'],
  lists: Lists,
  { withParts, budget: { signal } }: RewrapOptions,
): Promise<VaultList> {
  return withParts(async ({ store, bucket, prefix: root }) => {
    if (!dryRun) await assertKeepsConditions(store, root, signal);
    let count = 0;
    const lines = async function* () {
      for await (const { key } of store.list(root + prefix, { signal })) {
        // What consoles make to show a folder: no key of a vault ends so.
        if (key.endsWith('/')) continue;
        count++;
        // Some readers take more characters for ends of lines than JSON escapes.
        yield Buffer.from(`${printableJson({ key })}\n`);
      }
    };
    // Nobody else who may call the function writes over it.
    const list = `${lists.prefix}${run}-${randomUUID()}.jsonl`;
    await lists.store.put(list, lines(), { signal });
    return { bucket, list, count };
  });
}

/** What became of an object. Rejects never. */
export async function rewrapObject(
  object: DirectObject,
  options: RewrapOptions,
): Promise<OutcomeReport & { error?: unknown }> {
  const { bucket, key } = object;
  try {
    if (!options.budget.enough())
      throw new SealdropError('out_of_time', 'no time is left for another object', { retryable: true });
    return { bucket, key, ...(await inPlace(object, options)) };
  } catch (error) {
    const code = codeOf(error);
    if (code === 'object_not_found') return { bucket, key, outcome: 'gone' };
    return { bucket, key, outcome: 'failed', code, retryable: mayWorkLater(error), error };
  }
}

const OUTCOMES = {
  rewrapped: 'rewrapped',
  present: 'present',
  planned: 'would_rewrap',
} as const satisfies Record<RewrapReport['outcome'], Outcome>;

async function inPlace(
  { bucket, key, dryRun }: DirectObject,
  { withParts, budget }: RewrapOptions,
): Promise<{ outcome: Outcome; bytes: number }> {
  return withParts(async (parts) => {
    assertInVault(bucket, key, parts);
    const { store, endpoint, encryptor, decryptor, rehearsal, inspector } = parts;
    const wish = { mode: 'set', to: encryptor.recipients, known: [] } as const;
    const command = `sealdrop rewrap ${shellQuoted(store.address(key))} --to FILE --private-key FILE`;
    const report = await rewrap({
      ...{ store, key, inspector, binding: 'required', signal: budget.signal },
      ...(!dryRun && { decryptor }),
      admit: ({ size }) => budget.admit(size, { command, endpoint }),
      recipients: async (info, facts, context) => {
        const { already } = wantedKeys(info, facts, wish);
        if (already || dryRun) return { encryptor, already };
        return { encryptor, opener: await assertOpens(rehearsal, encryptor, context), already };
      },
    });
    return { outcome: OUTCOMES[report.outcome], bytes: report.plaintextSize };
  });
}

/** The vault may have become another one since it was listed; and whoever may call the function may write anything. */
function assertInVault(bucket: string, key: string, vault: RewrapParts): void {
  if (bucket !== vault.bucket)
    throw new SealdropError('foreign_bucket', `${printable(bucket)} is not the bucket of the vault`);
  if (!key.startsWith(vault.prefix))
    throw new SealdropError('foreign_key', `${printable(key)} is outside of the vault`);
}

/** `source_changed`: what somebody else wrote stays, and the next try takes it up. */
const LATER: readonly ErrorCode[] = ['source_changed', 'interrupted'];

const mayWorkLater = (error: unknown): boolean =>
  isSealdropError(error) && (error.retryable || LATER.includes(error.code));
