/** The function that rewraps: a list of what lies in the vault, and its objects, each opened and encrypted anew. */
import type { Context } from 'aws-lambda';
import type { OutcomeReport, RewrapObjectSettings, VaultList } from '../../src/contract.js';
import { isSealdropError, SealdropError } from '../../src/errors.js';
import { deliveryOf, type DirectObject } from '../../src/gateway/delivery.js';
import {
  listRequestOf,
  listVault,
  rewrapObject,
  type Lists,
  type RewrapOptions,
} from '../../src/gateway/rewrap-objects.js';
import { timeBudget } from '../../src/gateway/time-budget.js';

export interface Dependencies {
  readonly withParts: RewrapOptions['withParts'];
  readonly lists: Lists;
  /** What became of each object, before it is answered. */
  readonly audit: (entry: object) => void;
}

/** Every byte is read, opened, sealed, opened once more to prove it, and sent: half of what encrypting alone does. */
const BYTES_PER_SECOND = 8 * 1024 * 1024;

type Answer = VaultList | OutcomeReport | OutcomeReport[];

export function createHandler({ maxObjectBytes }: RewrapObjectSettings, dependencies: Dependencies) {
  const { withParts, lists, audit } = dependencies;
  return async (event: unknown, context: Pick<Context, 'getRemainingTimeInMillis'>): Promise<Answer> => {
    const budget = timeBudget(() => context.getRemainingTimeInMillis(), maxObjectBytes, BYTES_PER_SECOND);
    const options = { withParts, budget };
    try {
      const list = listRequestOf(event);
      if (list !== undefined) return await listVault(list, lists, options).catch(toldByRun);
      const { objects, batch } = objectsOf(event);
      const reports: OutcomeReport[] = [];
      for (const object of objects) {
        const { error, ...report } = await rewrapObject(object, options);
        audit({ ...report, ...said(error) });
        reports.push(report);
      }
      return batch ? reports : reports[0]!;
    } finally {
      budget.end();
    }
  };
}

/** @throws SealdropError `event_malformed` */
function objectsOf(event: unknown): { objects: readonly DirectObject[]; batch: boolean } {
  const delivery = deliveryOf(event);
  if (delivery.kind === 'direct') return delivery;
  throw new SealdropError('event_malformed', 'events of stores are not for the function that rewraps');
}

/** Messages of ours name keys and places; those of others may hold anything. */
function said(error: unknown): object {
  if (isSealdropError(error)) return { reason: error.message, hint: error.hint };
  return error instanceof Error ? { reason: error.name } : {};
}

/** Answered and not thrown, so that the run can end with the code and tell the rest. */
function toldByRun(error: unknown): VaultList {
  if (!isSealdropError(error)) throw error;
  const { message, code, hint } = error;
  return { code, message: hint === undefined ? message : `${message}: ${hint}` };
}
