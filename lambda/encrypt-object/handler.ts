/** The encrypting function: notifications of new objects in, their ciphertext in the vault. */
import type { Context, SQSBatchResponse } from 'aws-lambda';
import type { EncryptObjectSettings, OutcomeReport } from '../../src/contract.js';
import type { GatewayParts } from '../../src/compose-gateway.js';
import { SealdropError } from '../../src/errors.js';
import { postponeAll, recordFailure, takeBatch, type EventQueue } from '../../src/gateway/batch.js';
import { deliveryOf, type Delivery, type QueueMessage } from '../../src/gateway/delivery.js';
import { InboxGateway, type Report } from '../../src/gateway/inbox-gateway.js';
import type { ObjectCreated } from '../../src/gateway/object-created.js';
import { codeOf } from '../../src/gateway/permanent.js';
import { timeBudget, type TimeBudget } from '../../src/gateway/time-budget.js';
import type { InboxBucket } from '../../src/ports.js';
import type { Telemetry } from './telemetry.js';

export interface EncryptObjectDependencies {
  settings: EncryptObjectSettings;
  parts: GatewayParts;
  openInbox: (bucket: string) => InboxBucket;
  queue: EventQueue;
  sendDeadLetter: (letter: { readonly code: string }) => Promise<void>;
  telemetry: Telemetry;
}

type Answer = SQSBatchResponse | OutcomeReport | OutcomeReport[] | undefined;

/** A failed function's messages come back when it has certainly ended. */
const HOLD_MARGIN_SECONDS = 30;

export function encryptObjectHandler(dependencies: EncryptObjectDependencies) {
  const { settings, parts, openInbox, sendDeadLetter, telemetry } = dependencies;
  let fingerprint: string | undefined;
  const gateway = new InboxGateway({
    settings,
    parts,
    openInbox,
    reject: sendDeadLetter,
    report: (report) => telemetry.object(report, fingerprint),
  });

  return async (event: unknown, context: Pick<Context, 'getRemainingTimeInMillis'>): Promise<Answer> => {
    const left = () => context.getRemainingTimeInMillis();
    const budget = timeBudget(left, settings.maxObjectBytes);
    try {
      const delivery = deliveryOf(event);
      const { encryptor } = await parts.current().catch((error: unknown) => {
        telemetry.notConfigured(error);
        throw new NotConfigured(error);
      });
      fingerprint = encryptor.recipients[0]?.fingerprint;
      return await deliver(delivery, { ...dependencies, gateway, budget, seconds: left() / 1000 });
    } catch (error) {
      return await refused(event, error, dependencies);
    } finally {
      budget.end();
      telemetry.flush();
    }
  };
}

class NotConfigured extends Error {
  constructor(cause: unknown) {
    super('not configured', { cause });
  }
}

interface Call extends EncryptObjectDependencies {
  gateway: InboxGateway;
  budget: TimeBudget;
  /** That the function has. */
  seconds: number;
}

async function deliver(delivery: Delivery, call: Call): Promise<Answer> {
  if (delivery.kind === 'queue') return batch(delivery.messages, call);
  if (delivery.kind === 'event') return eventBridge(delivery.objects, call);
  const reports: OutcomeReport[] = [];
  for (const object of delivery.objects)
    reports.push(reported(await call.gateway.take(object, { budget: call.budget, dryRun: object.dryRun })));
  return delivery.batch ? reports : reports[0];
}

async function batch(messages: readonly QueueMessage[], call: Call): Promise<SQSBatchResponse> {
  const { gateway, queue, budget, seconds, settings, sendDeadLetter, telemetry } = call;
  const failed = await takeBatch(messages, {
    ...{ gateway, queue, budget, holdSeconds: seconds + HOLD_MARGIN_SECONDS },
    retryAfterSeconds: settings.retryAfterSeconds,
    unconfirmed: ({ id }, error) => telemetry.problem(`the queue does not confirm the message ${id}`, error),
    unreadable: async ({ id }, error) => {
      telemetry.problem(`the message ${id} is no event`, error);
      // Not what it holds: that may be anything.
      await sendDeadLetter({ code: codeOf(error), ...{ message: id } });
    },
  });
  return answerOf(failed);
}

/** Called by a rule, which tries again what throws. */
async function eventBridge(objects: readonly ObjectCreated[], { gateway, budget }: Call): Promise<undefined> {
  for (const object of objects) {
    const report = await gateway.take(object, { budget });
    const { outcome, code, retryable } = report;
    if (outcome !== 'failed') continue;
    if (retryable === true) throw new SealdropError('partial', `failed, to be tried again: ${code ?? ''}`);
    // Anybody may have written it: what isn't ours leaves no record.
    if (code !== 'foreign_bucket' && code !== 'foreign_key') await recordFailure(gateway, object, report);
  }
  return undefined;
}

/** Nothing was done: whatever came stays where it is. */
async function refused(
  event: unknown,
  error: unknown,
  { queue, settings }: EncryptObjectDependencies,
): Promise<Answer> {
  const configured = !(error instanceof NotConfigured);
  const delivery = configured ? undefined : deliveryOf(event);
  if (delivery?.kind !== 'queue') throw configured ? error : error.cause;
  await postponeAll(delivery.messages, { queue, retryAfterSeconds: settings.retryAfterSeconds });
  return answerOf(delivery.messages.map(({ id }) => id));
}

const answerOf = (failed: readonly string[]): SQSBatchResponse => ({
  batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })),
});

function reported({ bucket, key, outcome, code, retryable, bytes }: Report): OutcomeReport {
  return { bucket, key, outcome, code, retryable, bytes };
}
