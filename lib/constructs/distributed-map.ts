/**
 * The Distributed Map that backfills and rewraps share, in the Amazon States Language. It starts a child run for every few
 * objects; the child calls a function with them, and again with what may work later.
 * https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html
 */

export interface MapProps {
  readonly partition: string;
  readonly functionArn: string;
  readonly reports: { readonly bucket: string; readonly prefix: string };
  readonly itemsPerBatch: number;
  readonly maxConcurrency: number;
}

/**
 * What is to be done, as the function takes it: what a round left over, or the items of a new run. Those come in
 * `Items`, or alone where no batches are made. What lies outside the inbox's filters is left out.
 */
const TODO = `(
  $in := $states.input;
  $items := $exists($in.Items) ? $in.Items : [$in];
  $named := $items.{
    'bucket': bucket, 'prefix': prefix, 'suffix': suffix, 'dryRun': dryRun,
    'key': encoded ? $decodeUrlComponent($replace(key, '+', ' ')) : key
  };
  $wanted := $filter($named, function($i) {
    $substring($i.key, 0, $length($i.prefix)) = $i.prefix
    and $substring($i.key, $length($i.key) - $length($i.suffix)) = $i.suffix
  });
  $exists($in.again)
    ? [$in.again.{'bucket': bucket, 'key': key, 'dryRun': $in.dryRun}]
    : [$wanted.{'bucket': bucket, 'key': key, 'dryRun': dryRun}]
)`;

/** Reports of rounds before this one. */
const BEFORE = '($exists($states.input.done) ? $states.input.done : [])';

/** `stalled` counts the rounds in a row that got nothing done. */
const AFTER = `(
  $todo := ${TODO};
  $reports := $states.result.Payload;
  $again := [$reports[retryable = true]];
  {
    'done': [$append(${BEFORE}, $reports[$not(retryable = true)])],
    'again': $again,
    'dryRun': $boolean($todo[0].dryRun),
    'stalled': $count($again) < $count($todo) ? 0 : ($exists($states.input.stalled) ? $states.input.stalled : 0) + 1
  }
)`;

/** The function itself failed: it was killed, or out of time or memory. */
const LOST = `{
  'done': [$append(${BEFORE}, ${TODO}.{
    'bucket': bucket, 'key': key, 'outcome': 'failed', 'code': 'function_failed', 'retryable': true
  })],
  'again': []
}`;

/** Rounds in a row without progress: with the waits between them, an outage of 20 minutes. */
const MAX_STALLED = 5;

/** Nothing that the function has done: called again it may work. */
export const TRANSIENT = {
  ErrorEquals: [
    'Lambda.TooManyRequestsException',
    'Lambda.ServiceException',
    'Lambda.AWSLambdaException',
    'Lambda.SdkClientException',
    'Lambda.ClientExecutionTimeoutException',
  ],
  IntervalSeconds: 2,
  BackoffRate: 2,
  MaxAttempts: 8,
  MaxDelaySeconds: 120,
  JitterStrategy: 'FULL',
};

const jsonata = (expression: string): string => `{% ${expression} %}`;

function batchStates({ partition, functionArn }: MapProps): object {
  const QueryLanguage = 'JSONata';
  return {
    Call: {
      Type: 'Task',
      QueryLanguage,
      Resource: `arn:${partition}:states:::lambda:invoke`,
      Arguments: { FunctionName: functionArn, Payload: { Items: jsonata(TODO) } },
      Output: jsonata(AFTER),
      Retry: [
        TRANSIENT,
        // What the killed run did is there already for the next one.
        { ErrorEquals: ['States.TaskFailed', 'States.Timeout'], IntervalSeconds: 5, MaxAttempts: 1 },
      ],
      Catch: [{ ErrorEquals: ['States.ALL'], Output: jsonata(LOST), Next: 'Report' }],
      Next: 'Settled',
    },
    Settled: {
      Type: 'Choice',
      QueryLanguage,
      Choices: [
        {
          Condition: jsonata(`$count($states.input.again) > 0 and $states.input.stalled < ${MAX_STALLED}`),
          Next: 'Later',
        },
      ],
      Default: 'Report',
    },
    Later: {
      Type: 'Wait',
      QueryLanguage,
      // 1 s after progress; else 15 s, 1, 4 and 15 minutes.
      Seconds: jsonata(
        '$states.input.stalled = 0 ? 1 : $min([900, 15 * $power(4, $states.input.stalled - 1)])',
      ),
      Next: 'Call',
    },
    Report: {
      Type: 'Pass',
      QueryLanguage,
      Output: jsonata('[$append($states.input.done, $states.input.again)]'),
      End: true,
    },
  };
}

/** @param selector makes `{bucket, key, prefix, suffix, dryRun, encoded}` of what the reader reads */
export function distributedMap(props: MapProps, label: string, reader: object, selector: object): object {
  return {
    Type: 'Map',
    Label: label,
    ItemReader: reader,
    ItemSelector: selector,
    ItemBatcher: { MaxItemsPerBatch: props.itemsPerBatch },
    MaxConcurrency: props.maxConcurrency,
    // The report tells what failed; nothing that fails keeps the rest from being stored.
    ToleratedFailurePercentage: 100,
    ItemProcessor: {
      ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
      StartAt: 'Call',
      States: batchStates(props),
    },
    ResultWriter: {
      Resource: `arn:${props.partition}:states:::s3:putObject`,
      Parameters: { Bucket: props.reports.bucket, Prefix: props.reports.prefix },
      WriterConfig: { OutputType: 'JSONL', Transformation: 'FLATTEN' },
    },
    End: true,
  };
}
