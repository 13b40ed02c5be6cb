/** What a gateway promises, whatever its props are. */
import { describe, expect, test } from '@jest/globals';
import { Duration } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as s3 from 'aws-cdk-lib/aws-s3';
import * as sns from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import { EncryptionGateway } from '../../lib/index.js';
import { ACCOUNT, emptyStack, keyArn, readStatement, synthesize, text } from '../helpers/synth.js';

const { template } = synthesize();
const resources = (type: string) => Object.entries(template.findResources(type));
const settingsOf = (of: Template) => {
  const functions = Object.values(of.findResources('AWS::Lambda::Function'));
  const variables = functions.map((each) => each.Properties.Environment?.Variables?.SEALDROP_SETTINGS);
  return JSON.parse(text(variables.find((value) => value !== undefined)));
};

/** Statements that a resource's own policy refuses. */
function refusals(type: string, id: string) {
  const policies = resources(type).map(([, policy]) => policy.Properties);
  const own = policies.filter((policy) => JSON.stringify(policy.Bucket ?? policy.Queues).includes(`"${id}"`));
  return own
    .flatMap((policy) => policy.PolicyDocument.Statement)
    .filter((statement) => statement.Effect === 'Deny' && text(statement.Principal) === '{"AWS":"*"}')
    .map(readStatement);
}

const PLAIN_HTTP = '{"Bool":{"aws:SecureTransport":"false"}}';
const OTHER_ACCOUNTS = `{"StringNotEquals":{"aws:PrincipalAccount":"${ACCOUNT}"},"Bool":{"aws:PrincipalIsAWSService":"false"}}`;

describe('every queue', () => {
  const queues = resources('AWS::SQS::Queue');

  test('there are two: what arrives, and what could not be worked', () => expect(queues.length).toBe(2));

  test.each(queues.map(([id]) => id))('%s refuses plain http and other accounts', (id) => {
    const refused = refusals('AWS::SQS::QueuePolicy', id);
    for (const conditions of [PLAIN_HTTP, OTHER_ACCOUNTS])
      expect(refused).toContainEqual({
        effect: 'Deny',
        actions: ['sqs:*'],
        resources: [`<${id}.Arn>`],
        conditions,
      });
  });

  test.each(queues)('%s is encrypted and keeps messages for 14 days', (_, { Properties }) => {
    expect(Properties).toMatchObject({ SqsManagedSseEnabled: true, MessageRetentionPeriod: 14 * 86_400 });
  });

  test('has a dead-letter queue after more than 24 hours of outage, or is one', () => {
    const [first, ...rest] = queues.filter(([, { Properties }]) => Properties.RedrivePolicy !== undefined);
    expect(rest).toEqual([]);
    const { maxReceiveCount, deadLetterTargetArn } = first![1].Properties.RedrivePolicy;
    expect(queues.map(([id]) => `<${id}.Arn>`)).toContain(text(deadLetterTargetArn));
    // Waiting 15 s at first, doubled up to 15 minutes.
    let waited = 0;
    for (let i = 0; i < maxReceiveCount; i++) waited += Math.min(15 * 2 ** i, 900);
    expect(waited).toBeGreaterThan(24 * 3600);
    expect(maxReceiveCount).toBeLessThanOrEqual(1000);
  });

  test('takes messages from this account’s inbox alone', () => {
    const allows = resources('AWS::SQS::QueuePolicy')
      .flatMap(([, policy]) => policy.Properties.PolicyDocument.Statement)
      .filter((statement) => statement.Effect === 'Allow');
    expect(allows).toEqual([
      {
        Effect: 'Allow',
        Action: 'sqs:SendMessage',
        Principal: { Service: 's3.amazonaws.com' },
        Resource: expect.anything(),
        Condition: {
          ArnLike: {
            'aws:SourceArn': { 'Fn::GetAtt': [expect.stringMatching(/^GatewayInboxBucket/), 'Arn'] },
          },
          StringEquals: { 'aws:SourceAccount': ACCOUNT },
        },
      },
    ]);
  });
});

describe('the inbox', () => {
  const [id, bucket] = resources('AWS::S3::Bucket')[0]!;

  test('is versioned, encrypted, closed to the public, and rid of uploads that never finished', () => {
    expect(resources('AWS::S3::Bucket').length).toBe(1);
    expect(bucket.Properties).toMatchObject({
      VersioningConfiguration: { Status: 'Enabled' },
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
      BucketEncryption: {
        ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }],
      },
      LifecycleConfiguration: { Rules: [{ AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 } }] },
    });
  });

  test('refuses plain http and other accounts', () => {
    const refused = refusals('AWS::S3::BucketPolicy', id);
    for (const conditions of [PLAIN_HTTP, OTHER_ACCOUNTS])
      expect(refused).toContainEqual({
        effect: 'Deny',
        actions: ['s3:*'],
        resources: [`<${id}.Arn>`, `<${id}.Arn>/*`],
        conditions,
      });
  });

  test('expires no version unless asked to, and then no earlier than its event could be worked', () => {
    expect(JSON.stringify(bucket.Properties.LifecycleConfiguration)).not.toMatch(/Expiration/);
    expect(() =>
      synthesize(() => ({ inboxBucket: { noncurrentVersionExpiration: Duration.days(29) } })),
    ).toThrow(/at least 30 days/);
    synthesize(() => ({
      inboxBucket: { noncurrentVersionExpiration: Duration.days(30) },
    })).template.hasResourceProperties('AWS::S3::Bucket', {
      LifecycleConfiguration: {
        Rules: Match.arrayWith([Match.objectLike({ NoncurrentVersionExpiration: { NoncurrentDays: 30 } })]),
      },
    });
  });

  test('may have a customer key', () => {
    const arn = keyArn(1);
    const props = (stack: Parameters<typeof kms.Key.fromKeyArn>[0]) => ({
      inboxBucket: { encryptionKey: kms.Key.fromKeyArn(stack, 'Key', arn) },
    });
    synthesize(props).template.hasResourceProperties('AWS::S3::Bucket', {
      BucketEncryption: {
        ServerSideEncryptionConfiguration: [
          { ServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: arn } },
        ],
      },
    });
  });
});

test('what holds data or its keys outlives the stack, and nothing else does', () => {
  const kept = Object.entries(
    template.toJSON().Resources as Record<string, { Type: string; DeletionPolicy?: string }>,
  )
    .filter(([, { DeletionPolicy }]) => DeletionPolicy?.startsWith('Retain'))
    .map(([, { Type }]) => Type);
  expect(kept.sort()).toEqual(['AWS::S3::Bucket', 'AWS::SecretsManager::Secret']);
});

describe('the function', () => {
  test('is arm64 on the current Node, with traces that capture no answers', () => {
    template.hasResourceProperties('AWS::Lambda::Function', {
      Runtime: 'nodejs24.x',
      Architectures: ['arm64'],
      Handler: 'index.handler',
      TracingConfig: { Mode: 'Active' },
      Environment: { Variables: Match.objectLike({ POWERTOOLS_TRACER_CAPTURE_RESPONSE: 'false' }) },
      LoggingConfig: { LogGroup: Match.anyValue() },
    });
  });

  test('works batches off, reports failed records alone, and is capped by its event source, never by itself', () => {
    template.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
      BatchSize: 10,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      ScalingConfig: { MaximumConcurrency: 10 },
    });
    expect(JSON.stringify(template.toJSON())).not.toContain('ReservedConcurrentExecutions');
  });

  test('has finished or was ended before its records show again', () => {
    const [made] = Object.values(
      template.findResources('AWS::Lambda::Function', {
        Properties: { Handler: 'index.handler', MemorySize: 1769 },
      }),
    );
    const [queue] = Object.values(
      template.findResources('AWS::SQS::Queue', { Properties: { VisibilityTimeout: Match.anyValue() } }),
    );
    expect(queue!.Properties.VisibilityTimeout).toBeGreaterThan(made!.Properties.Timeout);
  });

  test('has a log of its own that is kept for a while', () => {
    template.hasResourceProperties('AWS::Logs::LogGroup', { RetentionInDays: 90 });
    synthesize(() => ({ logRetention: logs.RetentionDays.ONE_WEEK })).template.hasResourceProperties(
      'AWS::Logs::LogGroup',
      {
        RetentionInDays: 7,
      },
    );
  });

  test('is told the names of its secrets and of nothing that opens what it wrote', () => {
    expect(settingsOf(template)).toEqual({
      deployment: 'test',
      publicKeySet: 'sealdrop/test/public-keys',
      keyNames: {},
      vault: { secret: 'sealdrop/test/vault-write' },
      idempotency: 'sealdrop/test/idempotency-<part of the stack’s id>',
      secretsTtlSeconds: 300,
      inboxes: [
        {
          bucket: expect.any(String),
          prefix: '',
          suffix: '',
          template: '{key}',
          encode: false,
          versioned: true,
        },
      ],
      account: ACCOUNT,
      queueUrl: expect.stringMatching(/^<GatewayWorkQueue/),
      deadLetterUrl: expect.stringMatching(/^<GatewayWorkDeadLetters/),
      after: 'keep',
      maxObjectBytes: 840 * 12 * 1024 * 1024,
    });
  });
});

describe('the idempotency secret', () => {
  test('is made by Secrets Manager: its value is in no template', () => {
    const [secret] = resources('AWS::SecretsManager::Secret').map(([, each]) => each.Properties);
    expect(secret).toMatchObject({ GenerateSecretString: { PasswordLength: 64, ExcludePunctuation: true } });
    expect(secret).not.toHaveProperty('SecretString');
  });

  test('is not made where one is named', () => {
    const { template: other } = synthesize(() => ({ idempotencySecretName: 'mine' }));
    other.resourceCountIs('AWS::SecretsManager::Secret', 0);
    expect(settingsOf(other).idempotency).toBe('mine');
  });
});

describe('arrivals', () => {
  test('are told by S3, past the filters of the inbox', () => {
    const { template: other } = synthesize(() => ({ inboxes: [{ prefix: 'in/', suffix: '.csv' }] }));
    other.hasResourceProperties('Custom::S3BucketNotifications', {
      NotificationConfiguration: {
        QueueConfigurations: [
          {
            Events: ['s3:ObjectCreated:*'],
            Filter: {
              Key: {
                FilterRules: [
                  { Name: 'suffix', Value: '.csv' },
                  { Name: 'prefix', Value: 'in/' },
                ],
              },
            },
          },
        ],
      },
    });
  });

  test('or by EventBridge, whose rule alone may send, and loses nothing that it cannot deliver', () => {
    const { template: other } = synthesize(() => ({ inboxes: [{ prefix: 'in/', events: 'eventbridge' }] }));
    other.hasResourceProperties('AWS::Events::Rule', {
      EventPattern: {
        source: ['aws.s3'],
        account: [ACCOUNT],
        'detail-type': ['Object Created'],
        detail: { bucket: { name: [Match.anyValue()] }, object: { key: [{ wildcard: 'in/*' }] } },
      },
      Targets: [Match.objectLike({ DeadLetterConfig: { Arn: Match.anyValue() } })],
    });
    const senders = Object.values(other.findResources('AWS::SQS::QueuePolicy'))
      .flatMap((policy) => policy.Properties.PolicyDocument.Statement)
      .filter((statement) => statement.Effect === 'Allow');
    expect(senders.map((statement) => statement.Principal.Service)).toEqual([
      'events.amazonaws.com',
      'events.amazonaws.com',
    ]);
    for (const { Condition } of senders) {
      expect(text(Condition.ArnLike['aws:SourceArn'])).toMatch(/^<GatewayArrivals0Rule.*\.Arn>$/);
      expect(Condition.StringEquals).toEqual({ 'aws:SourceAccount': ACCOUNT });
    }
  });

  test('EventBridge takes a filter as it is: a backslash escapes nothing', () => {
    const inboxes = [{ prefix: 'win\\', suffix: ' a+b=%', events: 'eventbridge' as const }];
    synthesize(() => ({ inboxes })).template.hasResourceProperties('AWS::Events::Rule', {
      EventPattern: Match.objectLike({
        detail: Match.objectLike({ object: { key: [{ wildcard: 'win\\\\* a+b=%' }] } }),
      }),
    });
  });
});

describe('refused when the template is made', () => {
  const bucket = (stack: Construct, name: string) =>
    (stack.node.tryFindChild(name) as s3.IBucket | undefined) ?? s3.Bucket.fromBucketName(stack, name, name);
  const refused: [string, RegExp, Parameters<typeof synthesize>[0]][] = [
    [
      'two inboxes that take the same objects',
      /overlap/,
      () => ({ inboxes: [{ prefix: 'a/' }, { prefix: 'a/b/' }] }),
    ],
    [
      'two wrapping keys for what goes to one',
      /format s3ec is for one key, and there are 2 wrappingKeys/,
      (stack) => ({
        format: 's3ec',
        wrappingKeys: [1, 2].map((digit) => kms.Key.fromKeyArn(stack, `Key${digit}`, keyArn(digit))),
      }),
    ],
    [
      'two inboxes for the same vault keys',
      /same vault key/,
      (stack) => ({ inboxes: [{ bucket: bucket(stack, 'one') }, { bucket: bucket(stack, 'two') }] }),
    ],
    [
      'the same by {rest}',
      /same vault key/,
      () => ({
        inboxes: [
          { prefix: 'a/', vaultKeyTemplate: '{rest}' },
          { prefix: 'b/', vaultKeyTemplate: '{rest}' },
        ],
      }),
    ],
    [
      'a bucket’s name that only begins like another’s',
      /same vault key/,
      (stack) => ({
        inboxes: [
          { bucket: bucket(stack, 'one'), vaultKeyTemplate: '{bucket}{key}' },
          { bucket: bucket(stack, 'one2'), vaultKeyTemplate: '{bucket}{key}' },
        ],
      }),
    ],
    ...(
      [
        ['x//{key}', 'x/%-/{key}'],
        ['../{key}', '%2E%2E/{key}'],
        ['x%/{key}', 'x%25/{key}'],
        ['plain/%/{key}', 'plain/%25/{key}'],
        [`${'l'.repeat(256)}/{key}`, `${'l'.repeat(253)}%+/lll/{key}`],
        ['half{rest}', 'other/{key}'],
      ] as const
    ).map(([escaped, plain]): (typeof refused)[number] => [
      `keys that come to the same where ${escaped} is escaped and ${plain} is not`.slice(0, 100),
      /same vault key/,
      () => ({
        inboxes: [
          { prefix: 'a/', vaultKeyTemplate: escaped, encode: true },
          { prefix: 'b/', vaultKeyTemplate: plain },
        ],
      }),
    ]),
    ...['/{key}', 'a//{key}', './{rest}', '{key}/../x', '{rest}/'].map(
      (vaultKeyTemplate): (typeof refused)[number] => [
        `the template ${vaultKeyTemplate}, by which nothing could be stored`,
        /vaultKeyTemplate .* empty, \. or \.\. part/,
        () => ({ inboxes: [{ vaultKeyTemplate }] }),
      ],
    ),
    ...['a//', '/', '../'].map((prefix): (typeof refused)[number] => [
      `the vault's prefix ${prefix}, below which nothing could be stored`,
      /not a prefix/,
      (stack) => ({
        vaultWriteSecretName: undefined,
        vaultBucket: { bucket: bucket(stack, 'one'), prefix },
      }),
    ]),
    ['a template with other fields', /knows/, () => ({ inboxes: [{ vaultKeyTemplate: '{date}/{key}' }] })],
    ['a template without the key', /same vault key/, () => ({ inboxes: [{ vaultKeyTemplate: 'all' }] })],
    ['filters that policies take for patterns', /patterns/, () => ({ inboxes: [{ prefix: 'a*/' }] })],
    ...['日本/', 'tab\t', 'é', '\u007f'].map((prefix): (typeof refused)[number] => [
      `the prefix ${JSON.stringify(prefix)}, which no policy holds`,
      /prefix ".*" .*ASCII/,
      () => ({ inboxes: [{ prefix, events: 'eventbridge' }] }),
    ]),
    ...[' ', '+', '%', '=', ':', '@', '&', ',', ';', '\\', '~', '#', '"', '[', '{'].map(
      (character): (typeof refused)[number] => [
        `${character} in a filter of S3, which never matches unless it is encoded`,
        /suffix ".*" .*events "eventbridge"/,
        () => ({ inboxes: [{ suffix: `a${character}b` }] }),
      ],
    ),
    [
      'a vault in a part of a bucket that no policy holds',
      /prefix of vaultBucket .*ASCII/,
      (stack) => ({
        vaultWriteSecretName: undefined,
        vaultBucket: { bucket: bucket(stack, 'one'), prefix: '日本/' },
      }),
    ],
    ...(['publicKeySetSecretName', 'idempotencySecretName'] as const).map(
      (name): (typeof refused)[number] => [
        `${name} and vaultWriteSecretName in one secret`,
        new RegExp(`${name}.*vaultWriteSecretName|vaultWriteSecretName.*${name}`),
        () => ({ [name]: 'sealdrop/test/vault-write' }),
      ],
    ),
    [
      'public keys as the secret that proves what was stored',
      /publicKeySetSecretName.*idempotencySecretName/,
      () => ({ idempotencySecretName: 'sealdrop/test/public-keys' }),
    ],
    [
      'deleting from an inbox without versions',
      /versioned/,
      (stack) => ({ afterStore: 'delete', inboxes: [{ bucket: bucket(stack, 'one') }] }),
    ],
    [
      'a vault inside the inbox',
      /vault and the inbox one\/ overlap/,
      (stack) => ({
        vaultWriteSecretName: undefined,
        vaultBucket: { bucket: bucket(stack, 'one'), prefix: 'sealed/' },
        inboxes: [{ bucket: bucket(stack, 'one') }],
      }),
    ],
    [
      'an inbox inside the vault, though what it writes there lies elsewhere',
      /vault and the inbox one\/in\/ overlap/,
      (stack) => ({
        vaultWriteSecretName: undefined,
        vaultBucket: { bucket: bucket(stack, 'one') },
        inboxes: [{ bucket: bucket(stack, 'one'), prefix: 'in/', vaultKeyTemplate: '{bucket}/{key}' }],
      }),
    ],
    ['no vault', /exactly one/, () => ({ vaultWriteSecretName: undefined })],
    ['two vaults', /exactly one/, (stack) => ({ vaultBucket: { bucket: bucket(stack, 'one') } })],
    [
      'a secret by its ARN',
      /name, not its ARN/,
      () => ({ vaultWriteSecretName: 'arn:aws:secretsmanager:x' }),
    ],
    ['a secret by a pattern', /name, not its ARN/, () => ({ publicKeySetSecretName: 'sealdrop/*' })],
    ['a name that is none', /deployment/, () => ({ deployment: 'a b' })],
    ['no inbox at all', /at least one/, () => ({ inboxes: [] })],
    ['too short a time', /2 minutes/, () => ({ timeout: Duration.seconds(30) })],
    [
      'more bytes than the environment holds, in fewer letters',
      /longer than/,
      () => ({ keyNames: { name: '日'.repeat(1_200) } }),
    ],
    [
      'more inboxes than the environment holds',
      /longer than/,
      () => ({ inboxes: Array.from({ length: 30 }, (_, i) => ({ prefix: `${i}`.padEnd(100, 'x') + '/' })) }),
    ],
  ];
  test.each(refused)('%s', (_, message, props) => {
    expect(() => synthesize(props)).toThrow(message);
  });
});

test('S3’s filters take what needs no encoding', () => {
  const prefix = "Az09/!_.'()-";
  expect(settingsOf(synthesize(() => ({ inboxes: [{ prefix }] })).template).inboxes[0].prefix).toBe(prefix);
});

test('two inboxes of which one escapes go by different plain words; what is escaped may be anything', () => {
  const inboxes = [
    { prefix: 'a/', vaultKeyTemplate: 'one//{key}', encode: true },
    { prefix: 'b/', vaultKeyTemplate: 'other/{key}' },
  ];
  expect(() => synthesize(() => ({ inboxes }))).not.toThrow();
});

test('several inboxes share one bucket, each with its part of the vault', () => {
  const { template: other } = synthesize(() => ({
    inboxes: [{ prefix: 'a/' }, { prefix: 'b/', vaultKeyTemplate: 'other/{rest}' }],
  }));
  other.resourceCountIs('AWS::S3::Bucket', 1);
  expect(settingsOf(other).inboxes.map((inbox: { prefix: string }) => inbox.prefix)).toEqual(['a/', 'b/']);
});

test('two buckets may go by {bucket}/, whatever they will be called', () => {
  expect(() =>
    synthesize((stack) => ({
      inboxes: ['one', 'one2'].map((name) => ({
        bucket: s3.Bucket.fromBucketName(stack, name, name),
        vaultKeyTemplate: '{bucket}/{key}',
      })),
    })),
  ).not.toThrow();
});

test('two gateways live in one stack, and are told apart', () => {
  const stack = emptyStack();
  const names = ['One', 'Two'].map(
    (id) =>
      new EncryptionGateway(stack, id, { publicKeySetSecretName: 'p', vaultWriteSecretName: 'v' }).deployment,
  );
  expect(new Set(names).size).toBe(2);
  Template.fromStack(stack).resourceCountIs('AWS::SQS::Queue', 4);
});

test('with a topic it has alarms of its own, each of which tells it; without one it has none', () => {
  const { template: watched } = synthesize((stack) => ({ alarmTopic: new sns.Topic(stack, 'Alarms') }));
  const alarms = Object.values(watched.findResources('AWS::CloudWatch::Alarm'));
  expect(alarms.map(({ Properties }) => Properties.MetricName).sort()).toEqual([
    'ApproximateAgeOfOldestMessage',
    'ApproximateNumberOfMessagesVisible',
    'Errors',
    'Failed',
    'Gone',
    'NotConfigured',
    'Throttles',
  ]);
  for (const { Properties } of alarms) expect(text(Properties.AlarmActions)).toContain('Alarms');
  expect(resources('AWS::CloudWatch::Alarm')).toEqual([]);
});
