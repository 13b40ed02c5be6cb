/** What a backfill may do, and what its state machine is told. */
import { describe, expect, test } from '@jest/globals';
import { Template } from 'aws-cdk-lib/assertions';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as s3 from 'aws-cdk-lib/aws-s3';
import { Backfill, type BackfillProps } from '../../lib/constructs/backfill.js';
import { ACCOUNT, emptyStack, readStatement, REGION, statementsOf, text } from '../helpers/synth.js';

const FUNCTION = `arn:aws:lambda:${REGION}:${ACCOUNT}:function:encrypt`;

function synthesize(props: Partial<BackfillProps> = {}) {
  const stack = emptyStack();
  const bucket = (name: string) => s3.Bucket.fromBucketName(stack, name, name);
  new Backfill(stack, 'Backfill', {
    encryptFunction: lambda.Function.fromFunctionArn(stack, 'Encrypt', FUNCTION),
    inboxes: [{ bucket: bucket('inbox') }, { bucket: bucket('other'), prefix: 'in/' }],
    ...props,
  });
  return Template.fromStack(stack);
}

const withInventory = () => {
  const stack = emptyStack();
  return synthesize({
    inventory: { bucket: s3.Bucket.fromBucketName(stack, 'I', 'inventories'), prefix: 'inbox/' },
  });
};

const machineOf = (template: Template) =>
  Object.values(template.findResources('AWS::StepFunctions::StateMachine'))[0]!.Properties;
const definitionOf = (template: Template) => JSON.parse(text(machineOf(template).DefinitionString));

const template = synthesize();
const ids = Object.keys(template.toJSON().Resources);
const idOf = (start: string) => ids.find((id) => id.startsWith(start))!;

describe('the role of the state machine', () => {
  const statements = statementsOf(template, 'BackfillRole');

  test('calls the one function, lists the inboxes, writes reports, starts its own child runs; nothing else', () => {
    const machine = idOf('BackfillStateMachine');
    const reports = `<${idOf('BackfillReports')}.Arn>/backfill/*`;
    const own = statements.filter(({ resources }) => resources.join() !== '*');
    expect(own).toEqual([
      { effect: 'Allow', actions: ['lambda:InvokeFunction'], resources: [FUNCTION], conditions: '{}' },
      { effect: 'Allow', actions: ['s3:ListBucket'], resources: ['arn:aws:s3:::inbox'], conditions: '{}' },
      {
        effect: 'Allow',
        actions: ['s3:ListBucket'],
        resources: ['arn:aws:s3:::other'],
        conditions: '{"StringLike":{"s3:prefix":"in/*"}}',
      },
      {
        effect: 'Allow',
        actions: ['s3:AbortMultipartUpload', 's3:GetObject', 's3:ListMultipartUploadParts', 's3:PutObject'],
        resources: [reports],
        conditions: '{}',
      },
      { effect: 'Allow', actions: ['states:StartExecution'], resources: [`<${machine}>`], conditions: '{}' },
      {
        effect: 'Allow',
        actions: ['states:DescribeExecution', 'states:StopExecution'],
        resources: [`arn:aws:states:${REGION}:${ACCOUNT}:execution:<${machine}.Name>:*`],
        conditions: '{}',
      },
    ]);
  });

  test('besides that it writes its log and its traces, whose actions know no resources', () => {
    const any = statements
      .filter(({ resources }) => resources.join() === '*')
      .flatMap(({ actions }) => actions);
    expect(any.every((action) => /^(logs|xray):/.test(action))).toBe(true);
    expect(any).toContain('xray:PutTraceSegments');
  });

  test('reads no object of an inbox, and inventories only where a place for them is named', () => {
    const reading = (each: Template) =>
      statementsOf(each, 'BackfillRole')
        .filter(({ actions }) => actions.includes('s3:GetObject'))
        .flatMap(({ resources }) => resources)
        .filter((resource) => !resource.startsWith('<'));
    expect(reading(template)).toEqual([]);
    expect(reading(withInventory())).toEqual(['arn:aws:s3:::inventories/inbox/*']);
  });

  test('is taken on by Step Functions for this account alone', () => {
    const role = template.findResources('AWS::IAM::Role')[idOf('BackfillRole')]!.Properties;
    expect(text(role.AssumeRolePolicyDocument)).toContain(
      `"Condition":{"StringEquals":{"aws:SourceAccount":"${ACCOUNT}"}}`,
    );
  });
});

describe('the state machine', () => {
  test('logs every event without what is in it, and traces', () => {
    expect(machineOf(template)).toMatchObject({
      LoggingConfiguration: { Level: 'ALL', IncludeExecutionData: false },
      TracingConfiguration: { Enabled: true },
    });
  });

  test('gives its children keys alone: no size, no date, no ETag', () => {
    const { Listing, Inventory } = definitionOf(withInventory()).States;
    expect(Listing.ItemSelector).toEqual({
      'bucket.$': '$.bucket',
      'key.$': '$$.Map.Item.Value.Key',
      'prefix.$': '$.prefix',
      'suffix.$': '$.suffix',
      'dryRun.$': '$.dryRun',
      encoded: false,
    });
    expect(Inventory.ItemSelector).toEqual({
      ...Listing.ItemSelector,
      'bucket.$': '$$.Map.Item.Value.Bucket',
      encoded: true,
    });
  });

  test('goes on past everything that fails, and writes a line for each object', () => {
    const { Listing } = definitionOf(template).States;
    expect(Listing).toMatchObject({
      ToleratedFailurePercentage: 100,
      ResultWriter: {
        Resource: 'arn:aws:states:::s3:putObject',
        Parameters: { Bucket: `<${idOf('BackfillReports')}>`, Prefix: 'backfill' },
        WriterConfig: { OutputType: 'JSONL', Transformation: 'FLATTEN' },
      },
    });
  });

  test('calls the function ten times at once, with ten objects each, unless told otherwise', () => {
    expect(definitionOf(template).States.Listing).toMatchObject({
      MaxConcurrency: 10,
      ItemBatcher: { MaxItemsPerBatch: 10 },
    });
    const other = synthesize({ maxConcurrency: 3, itemsPerBatch: 1 });
    expect(definitionOf(other).States.Listing).toMatchObject({
      MaxConcurrency: 3,
      ItemBatcher: { MaxItemsPerBatch: 1 },
    });
  });

  test('asked for an inventory without a place for them, fails before it does anything', () => {
    const { StartAt, States } = definitionOf(template);
    expect(States[StartAt].Choices).toEqual([{ Variable: '$.manifest', IsPresent: true, Next: 'Inventory' }]);
    expect(States.Inventory).toEqual({ Type: 'Fail', Error: 'InventoryNotConfigured' });
  });
});

test('the reports are encrypted, closed to the public, other accounts and plain http, and expire; the bucket outlives the stack', () => {
  const [bucket] = Object.values(template.findResources('AWS::S3::Bucket'));
  expect(bucket).toMatchObject({
    DeletionPolicy: 'RetainExceptOnCreate',
    Properties: {
      BucketEncryption: {
        ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }],
      },
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        RestrictPublicBuckets: true,
      },
      LifecycleConfiguration: { Rules: [{ ExpirationInDays: 90, Status: 'Enabled' }] },
    },
  });
  const [policy] = Object.values(template.findResources('AWS::S3::BucketPolicy'));
  const refused = policy!.Properties.PolicyDocument.Statement.map(readStatement);
  expect(refused).toContainEqual(
    expect.objectContaining({ effect: 'Deny', conditions: '{"Bool":{"aws:SecureTransport":"false"}}' }),
  );
  expect(refused).toContainEqual({
    effect: 'Deny',
    actions: ['s3:*'],
    resources: [`<${idOf('BackfillReports')}.Arn>`, `<${idOf('BackfillReports')}.Arn>/*`],
    conditions: `{"StringNotEquals":{"aws:PrincipalAccount":"${ACCOUNT}"},"Bool":{"aws:PrincipalIsAWSService":"false"}}`,
  });
});
