/** The state machine of a rewrap: the function lists the vault into a file, and a Distributed Map reads that. */
import { distributedMap, TRANSIENT, type MapProps } from './distributed-map.js';

/** A vault may be anywhere, and Step Functions reads S3 alone: so the listing is the function's. */
const list = ({ partition, functionArn }: MapProps): object => ({
  Type: 'Task',
  Resource: `arn:${partition}:states:::lambda:invoke`,
  Parameters: {
    FunctionName: functionArn,
    Payload: { list: { 'prefix.$': '$.prefix', 'dryRun.$': '$.dryRun', 'run.$': '$$.Execution.Name' } },
  },
  ResultPath: '$.vault',
  Retry: [TRANSIENT],
  Next: 'Found',
});

/** Runs take `{prefix, dryRun}`; the prefix counts below the vault's own. */
export function rewrapDefinition(props: MapProps): object {
  const reader = {
    Resource: `arn:${props.partition}:states:::s3:getObject`,
    ReaderConfig: { InputType: 'JSONL' },
    Parameters: { Bucket: props.reports.bucket, 'Key.$': '$.vault.Payload.list' },
  };
  const item = {
    'bucket.$': '$.vault.Payload.bucket',
    'key.$': '$$.Map.Item.Value.key',
    prefix: '',
    suffix: '',
    'dryRun.$': '$.dryRun',
    encoded: false,
  };
  const States = {
    List: list(props),
    Found: {
      Type: 'Choice',
      Choices: [
        { Variable: '$.vault.Payload.code', IsPresent: true, Next: 'Failed' },
        // Whether an empty file is a list, readers do not agree.
        { Variable: '$.vault.Payload.count', NumericEquals: 0, Next: 'Nothing' },
      ],
      Default: 'Rewrap',
    },
    Failed: { Type: 'Fail', ErrorPath: '$.vault.Payload.code', CausePath: '$.vault.Payload.message' },
    Nothing: { Type: 'Pass', Result: [], End: true },
    Rewrap: distributedMap(props, 'Rewrap', reader, item),
  };
  return { Comment: 'sealdrop: encrypts what lies in the vault to other keys', StartAt: 'List', States };
}
