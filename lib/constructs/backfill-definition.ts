/**
 * The state machine of a backfill, in the Amazon States Language. A Distributed Map reads the bucket's listing, or an
 * inventory, and starts a child run for every few objects; the child calls the encrypting function, and again for
 * what may work later. https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html
 */

export interface DefinitionProps {
  readonly partition: string;
  readonly functionArn: string;
  readonly reports: { readonly bucket: string; readonly prefix: string };
  readonly itemsPerBatch: number;
  readonly maxConcurrency: number;
  /** Whether runs may read an inventory. */
  readonly inventory: boolean;
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

const jsonata = (expression: string): string => `{% ${expression} %}`;

function batchStates({ partition, functionArn }: DefinitionProps): object {
  const QueryLanguage = 'JSONata';
  return {
    Encrypt: {
      Type: 'Task',
      QueryLanguage,
      Resource: `arn:${partition}:states:::lambda:invoke`,
      Arguments: { FunctionName: functionArn, Payload: { Items: jsonata(TODO) } },
      Output: jsonata(AFTER),
      Retry: [
        {
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
        },
        // What the killed run stored is a duplicate for the next one.
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
      Next: 'Encrypt',
    },
    Report: {
      Type: 'Pass',
      QueryLanguage,
      Output: jsonata('[$append($states.input.done, $states.input.again)]'),
      End: true,
    },
  };
}

/** Of an item, its key and bucket alone: listings and inventories also hold ETags, which are digests of plaintext. */
const item = (bucket: string, encoded: boolean): object => ({
  'bucket.$': bucket,
  'key.$': '$$.Map.Item.Value.Key',
  'prefix.$': '$.prefix',
  'suffix.$': '$.suffix',
  'dryRun.$': '$.dryRun',
  encoded,
});

function map(props: DefinitionProps, label: string, reader: object, selector: object): object {
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
      StartAt: 'Encrypt',
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

/** Runs take `{bucket, prefix, suffix, dryRun}`, and `manifest: {bucket, key}` to read an inventory instead. */
export function backfillDefinition(props: DefinitionProps): object {
  const listing = map(
    props,
    'Listing',
    {
      Resource: `arn:${props.partition}:states:::s3:listObjectsV2`,
      Parameters: { 'Bucket.$': '$.bucket', 'Prefix.$': '$.prefix' },
    },
    item('$.bucket', false),
  );
  const Comment = 'sealdrop: encrypts what lies in an inbox already';
  const inventory = map(
    props,
    'Inventory',
    {
      Resource: `arn:${props.partition}:states:::s3:getObject`,
      ReaderConfig: { InputType: 'MANIFEST' },
      Parameters: { 'Bucket.$': '$.manifest.bucket', 'Key.$': '$.manifest.key' },
    },
    // The row's own bucket: an inventory of another one is refused, not looked for in this one.
    item('$$.Map.Item.Value.Bucket', true),
  );
  // A listing in place of the inventory would take in more than was asked for.
  const noInventory = { Type: 'Fail', Error: 'InventoryNotConfigured' };
  const Source = {
    Type: 'Choice',
    Choices: [{ Variable: '$.manifest', IsPresent: true, Next: 'Inventory' }],
    Default: 'Listing',
  };
  const States = { Source, Listing: listing, Inventory: props.inventory ? inventory : noInventory };
  return { Comment, StartAt: 'Source', States };
}
