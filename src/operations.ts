/**
 * What the commands that look after a deployment need of AWS. `src/aws` implements it; errors are SealdropErrors:
 * `access_denied`, `credentials_missing`, `deployment_not_found`, `endpoint_unreachable` and `aws_unavailable` (both
 * retryable), `aws_refused`, `interrupted`.
 */

export interface AwsSettings {
  region?: string;
  /** A profile of the AWS configuration files. */
  profile?: string;
  /** PEM file of certificate authorities to trust. */
  caBundle?: string;
  /** Asks for the token code of a device, for a profile whose role wants one. */
  mfaCode?: (device: string) => Promise<string>;
}

/** What a deployed stack says of itself, by the names of its outputs. */
export type StackOutputs = Readonly<Record<string, string>>;

export interface Operations {
  /** @throws SealdropError `deployment_not_found` */
  outputs(stack: string, signal?: AbortSignal): Promise<StackOutputs>;
  queue(url: string): MessageQueue;
  runs(stateMachine: string): MapRuns;
  close(): void;
}

export interface QueueMessage {
  readonly id: string;
  /** What this reception is settled with. */
  readonly receipt: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly sent: Date;
  readonly receiveCount: number;
}

/** A queue of Amazon SQS. Receptions are in no order, and may leave messages out. */
export interface MessageQueue {
  readonly url: string;
  /** About how many messages it holds, those that somebody works on included. */
  count(signal?: AbortSignal): Promise<number>;
  /** Up to ten, which nobody else is given for `seconds`. Empty where none was found at once. */
  receive(seconds: number, signal?: AbortSignal): Promise<QueueMessage[]>;
  /** Gives messages back to whoever asks next. One that is gone, or whose time ran out, is passed over. */
  release(receipts: readonly string[]): Promise<void>;
  remove(receipt: string): Promise<void>;
  send(body: string): Promise<void>;
}

export type RunStatus = 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'ABORTED' | 'PENDING_REDRIVE';

/** What a rewrap is started with: see lib/constructs/rewrap-definition.ts. */
export interface RewrapInput {
  /** Below the vault's own. */
  readonly prefix: string;
  readonly dryRun: boolean;
}

/** What a backfill is started with: see lib/constructs/backfill-definition.ts. */
export interface BackfillInput {
  readonly bucket: string;
  readonly prefix: string;
  readonly suffix: string;
  readonly dryRun: boolean;
  /** An inventory, read in place of the listing. */
  readonly manifest?: { readonly bucket: string; readonly key: string };
}

export type RunInput = BackfillInput | RewrapInput;

export interface RunCounts {
  /** Objects found; grows while the listing is read. */
  readonly total: number;
  readonly done: number;
  /** Runs for some of the objects that failed as such. */
  readonly failed: number;
}

export interface Run {
  /** ARN of the execution. */
  readonly id: string;
  readonly status: RunStatus;
  readonly started: Date;
  readonly ended?: Date;
  readonly input: RunInput;
  /** JSON, once it has succeeded. */
  readonly output?: string;
  readonly error?: string;
  /** In words, where it ended with an error. */
  readonly cause?: string;
}

/** The runs of a state machine with a Distributed Map in AWS Step Functions. */
export interface MapRuns {
  start(input: RunInput, signal?: AbortSignal): Promise<string>;
  /** The one that was started last. */
  latest(signal?: AbortSignal): Promise<string | undefined>;
  describe(id: string, signal?: AbortSignal): Promise<Run>;
  /** Undefined until the run has begun to read what there is. */
  counts(id: string, signal?: AbortSignal): Promise<RunCounts | undefined>;
  /** Lowers or raises the calls at the same time; false until the run has begun to read what there is. */
  limit(id: string, maxConcurrency: number, signal?: AbortSignal): Promise<boolean>;
}
