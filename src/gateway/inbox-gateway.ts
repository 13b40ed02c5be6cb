/** The inboxes of a deployment: takes objects one by one, and deals with what fails. */
import {
  STATUS_TAG,
  type AfterStoring,
  type DeadLetter,
  type InboxSettings,
  type OutcomeReport,
} from '../contract.js';
import type { InboxBucket } from '../ports.js';
import { inboxOf } from './inboxes.js';
import { takeObject, type EncryptingSide, type InboxOutcome } from './inbox-object.js';
import type { ObjectCreated } from './object-created.js';
import { codeOf, isPermanent } from './permanent.js';
import type { TimeBudget } from './time-budget.js';

export interface InboxGatewayOptions {
  settings: { inboxes: readonly InboxSettings[]; after: AfterStoring };
  parts: {
    current(): Promise<EncryptingSide>;
    /** Called when the vault has refused the credentials of `stale`. */
    refresh(stale: EncryptingSide): Promise<EncryptingSide>;
  };
  openInbox: (bucket: string) => InboxBucket;
  /** Keeps the record of what can't ever work. */
  reject: (letter: DeadLetter) => Promise<void>;
  /** Called with what became of each object. */
  report: (report: Report) => void;
}

export interface Report extends OutcomeReport {
  /** Milliseconds. */
  readonly ms: number;
  readonly error?: unknown;
}

export interface TakeOptions {
  budget: TimeBudget;
  dryRun?: boolean;
}

export class InboxGateway {
  readonly #options: InboxGatewayOptions;
  readonly #inboxes = new Map<string, InboxBucket>();

  constructor(options: InboxGatewayOptions) {
    this.#options = options;
  }

  /** What became of an object. Rejects never. */
  async take(object: ObjectCreated, options: TakeOptions): Promise<Report> {
    const { bucket, key } = object;
    const started = performance.now();
    const done = (what: Pick<Report, 'outcome' | 'code' | 'retryable' | 'bytes' | 'error'>): Report => {
      const report = { bucket, key, ...what, ms: Math.round(performance.now() - started) };
      this.#options.report(report);
      return report;
    };
    try {
      return done(await this.#takeWithFreshSecrets(object, options));
    } catch (error) {
      return done({ outcome: 'failed', code: codeOf(error), retryable: !isPermanent(error), error });
    }
  }

  /**
   * Records what can't ever work, and marks it at the source.
   * @throws what sending the record can fail with
   */
  async giveUp({ bucket, key, version }: ObjectCreated, code: string, hint?: string): Promise<void> {
    const versionId = version !== undefined && { versionId: version };
    await this.#options.reject({ bucket, key, ...versionId, code, ...(hint !== undefined && { hint }) });
  }

  /** The status tag of a failed object: for whoever asks about it, and nothing depends on it. */
  async markFailed(object: ObjectCreated, code: string): Promise<void> {
    const { inboxes } = this.#options.settings;
    try {
      inboxOf(inboxes, object);
      const inbox = this.#inbox(object.bucket);
      const { key, version, etag } = object;
      // Without versions another object may stand there by now.
      if (version === undefined && (await inbox.head(key, { etag })) === undefined) return;
      await inbox.tag(key, { version }, { name: STATUS_TAG, value: `failed:${code}` });
    } catch {
      // It is foreign, it is gone, or tags may not be set.
    }
  }

  async #takeWithFreshSecrets(object: ObjectCreated, options: TakeOptions): Promise<InboxOutcome> {
    const settings = inboxOf(this.#options.settings.inboxes, object);
    const parts = await this.#options.parts.current();
    const take = (with_: EncryptingSide) => this.#takeOnce(object, settings, with_, options);
    try {
      return await take(parts);
    } catch (error) {
      if (!['access_denied', 'credentials_missing'].includes(codeOf(error))) throw error;
      const fresh = await this.#options.parts.refresh(parts);
      // The same secrets as before would be refused as before.
      if (fresh === parts) throw error;
      return take(fresh);
    }
  }

  async #takeOnce(
    object: ObjectCreated,
    settings: InboxSettings,
    parts: EncryptingSide,
    { budget, dryRun }: TakeOptions,
  ): Promise<InboxOutcome> {
    const { after } = this.#options.settings;
    const inbox = this.#inbox(object.bucket);
    const { signal, admit } = budget;
    return takeObject({ object, settings, inbox, parts, after, dryRun, admit, signal });
  }

  #inbox(bucket: string): InboxBucket {
    const inbox = this.#inboxes.get(bucket) ?? this.#options.openInbox(bucket);
    this.#inboxes.set(bucket, inbox);
    return inbox;
  }
}
