/** `deployments` of sealdrop.config.json: what `cdk deploy` makes, by name. */
import { z } from 'zod';
import { ENCRYPTING_FORMATS } from '../ports.js';
import { arn, target } from './deployment-fields.js';
import { vaultDeployment } from './vault-deployment.js';

const keyArn = arn('kms', 'a KMS key').describe('ARN of a customer key of KMS');

const secretName = z
  .string()
  .regex(/^[\w/+=.@-]{1,512}$/, 'must be the name of a secret (not its ARN)')
  .describe('Name of a secret in Secrets Manager');

const bucketName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'must be the name of a bucket')
  .describe('Name of a bucket of the same account and region');

const keyPart = z
  .string()
  .max(1024)
  .regex(/^[^*?$]*$/, 'must not hold *, ? or $');

/** Policies hold nothing else. */
const filter = keyPart.regex(/^[ -~]*$/, 'must be printable ASCII');

const folder = filter.regex(/^$|\/$/, 'must be empty or end in a slash');

const inbox = z
  .strictObject({
    bucket: bucketName.optional().describe('A bucket that is there already. Default: one is made'),
    versioned: z.boolean().optional().describe('Whether `bucket` is versioned. Default: no'),
    kmsKeyArn: keyArn.optional().describe('Customer key that `bucket` is encrypted with'),
    prefix: filter.optional().describe('Only keys that begin so are taken'),
    suffix: filter.optional().describe('Only keys that end so are taken'),
    vaultKeyTemplate: z.string().min(1).optional().describe('Of {key}, {rest} and {bucket}. Default: {key}'),
    encode: z.boolean().optional().describe('Escape keys that stores would alias, instead of refusing them'),
    events: z.enum(['s3', 'eventbridge']).optional().describe('How arrivals become known. Default: s3'),
  })
  .check(({ value, issues }) => {
    // S3 wants other characters encoded, and says nothing of a filter that never matches.
    for (const field of ['prefix', 'suffix'] as const)
      if (value.events !== 'eventbridge' && !/^[\w/!.'()-]*$/.test(value[field] ?? ''))
        issues.push({
          code: 'custom',
          input: value[field],
          path: [field],
          message: 'must be of letters, digits and /!_.\'()- unless events is "eventbridge"',
        });
  })
  .describe('Something to encrypt');

const inboxBucket = z
  .strictObject({
    kmsKeyArn: keyArn.optional(),
    noncurrentVersionDays: z
      .int()
      .min(30)
      .optional()
      .describe('Days until older versions are removed. Default: never'),
    abortIncompleteUploadsDays: z.int().min(1).optional().describe('Days. Default: 7'),
    accessLogsBucket: bucketName.optional(),
  })
  .describe('The bucket that is made where an inbox names none');

const network = z
  .strictObject({
    vpcId: z.string().regex(/^vpc-[0-9a-f]{8}([0-9a-f]{9})?$/, 'must be the id of a VPC'),
    subnets: z
      .array(
        z.strictObject({
          id: z.string().regex(/^subnet-[0-9a-f]{8}([0-9a-f]{9})?$/, 'must be the id of a subnet'),
          availabilityZone: z.string().min(1),
        }),
      )
      .min(1)
      .describe('Private subnets with a way to the vault, S3, SQS and Secrets Manager'),
    securityGroups: z
      .array(z.string().regex(/^sg-[0-9a-f]{8}([0-9a-f]{9})?$/, 'must be the id of a security group'))
      .min(1)
      .optional(),
  })
  .describe('A VPC for the functions');

const vaultBucket = z
  .strictObject({
    name: bucketName,
    prefix: folder.optional(),
    kmsKeyArn: keyArn.optional(),
  })
  .describe('A vault on AWS: instead of vaultWriteSecret');

const callerFolder = keyPart.regex(/\/$/, 'must end in a slash');

const callers = z
  .record(
    z
      .string()
      .regex(
        /^[0-9]{12}:(role|user)\/[\w+=,.@-]+$/,
        'must be ACCOUNT:role/NAME or ACCOUNT:user/NAME, the NAME without the path',
      ),
    callerFolder,
  )
  .check(({ value, issues }) => {
    for (const [caller, prefix] of Object.entries(value)) {
      const around = Object.keys(value).find(
        (other) => value[other] !== prefix && prefix.startsWith(value[other]!),
      );
      if (around !== undefined)
        issues.push({
          code: 'custom',
          input: prefix,
          path: [caller],
          message: `lies in the prefix of ${around}`,
        });
    }
  });

const api = z
  .strictObject({
    callers: z
      .discriminatedUnion(
        'kind',
        [
          z
            .strictObject({
              kind: z.literal('iam'),
              prefixes: callers,
            })
            .describe(
              'Roles and users of the account, who sign their requests; each with a prefix of its own',
            ),
          z
            .strictObject({
              kind: z.literal('jwt'),
              issuer: z.url({ protocol: /^https$/, error: 'must be an https:// URL' }),
              audience: z.array(z.string().min(1)).min(1),
              claim: z.string().min(1).describe('The claim that holds the prefix'),
            })
            .describe('Whoever brings a JSON Web Token of the issuer'),
        ],
        { error: 'must be of the kind "iam" or "jwt"' },
      )
      .describe('Who may call, and which prefix is theirs'),
    vaultReadSecret: secretName
      .optional()
      .describe('Name of the secret with credentials for reading the vault'),
    vaultDeleteSecret: secretName.optional().describe('The same for deleting; DELETE exists only with it'),
    allowDelete: z.boolean().optional().describe('Whether DELETE exists, with vaultBucket. Default: no'),
    decrypt: z
      .strictObject({ privateKeySetSecret: secretName, prefixes: z.array(callerFolder).min(1) })
      .optional()
      .describe(
        'Decryption in the cloud: whoever breaks into the account can then read the vault. Default: none',
      ),
    uploadExpirySeconds: z.int().min(1).max(3600).optional().describe('Default: 900'),
    throttle: z
      .strictObject({ rate: z.number().positive(), burst: z.int().min(1) })
      .optional()
      .describe('Requests a second, and at once, of all callers together. Default: 50 and 100'),
  })
  .describe('The HTTP API');

const rewrap = z
  .strictObject({
    privateKeySetSecret: secretName.describe(
      'Name of the secret with the private key set; may be the one of api.decrypt',
    ),
    vaultRewriteSecret: secretName
      .optional()
      .describe(
        'Name of the secret with credentials for reading and writing the vault. Not with vaultBucket',
      ),
    maxObjectBytes: z.int().min(1).optional().describe('Larger objects are refused at once'),
  })
  .describe(
    'Rewrapping in the cloud: whoever breaks into the account can then read the vault. Default: none, and no function could',
  );

const inventory = z
  .strictObject({ bucket: bucketName, prefix: filter.optional() })
  .describe('Where inventories (S3 Inventory, CSV) may be read for a backfill');

const LOG_RETENTION_DAYS = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
] as const;

const gatewayDeployment = z
  .strictObject({
    kind: z.literal('gateway').optional(),
    ...target,
    publicKeySetSecret: secretName.describe(
      'Name of the secret with the public key set, or a bare public key in PEM',
    ),
    vaultWriteSecret: secretName
      .optional()
      .describe('Name of the secret with address and credentials for writing to the vault'),
    vaultBucket: vaultBucket.optional(),
    idempotencySecret: secretName.optional().describe('Default: one is made, and outlives the stack'),
    secretKmsKeyArns: z
      .array(keyArn)
      .optional()
      .describe('Customer keys that the named secrets are encrypted with'),
    wrappingKmsKeyArns: z
      .array(keyArn)
      .optional()
      .describe(
        'Keys of KMS that the public key set names: what encrypts may wrap by them, and never unwrap',
      ),
    inboxes: z.array(inbox).min(1).optional().describe('Default: everything in a bucket that is made'),
    inboxBucket: inboxBucket.optional(),
    format: z
      .enum(ENCRYPTING_FORMATS)
      .optional()
      .describe(
        'What is written: esdk, or with one active key in the public key set s3ec or s3ec-v2, the S3 Encryption Client’s objects. Default: esdk',
      ),
    afterStore: z
      .enum(['keep', 'tag', 'delete'])
      .optional()
      .describe('What becomes of a stored source. Default: keep'),
    keyNames: z
      .strictObject({ namespace: z.string().min(1).optional(), name: z.string().min(1).optional() })
      .optional()
      .describe('Names that messages carry for bare public keys'),
    memoryMiB: z.int().min(512).max(10_240).optional().describe('Default: 1769, one whole vCPU'),
    timeoutSeconds: z.int().min(120).max(900).optional().describe('Default: 900'),
    maxObjectBytes: z.int().min(1).optional().describe('Larger objects are refused at once'),
    maxConcurrency: z
      .int()
      .min(2)
      .max(1000)
      .optional()
      .describe('Batches worked on at the same time. Default: 10'),
    retryAfterSeconds: z
      .int()
      .min(1)
      .max(900)
      .optional()
      .describe('Wait before the second try of what failed; doubled each time, up to 900. Default: 15'),
    secretsTtlSeconds: z.int().min(1).max(86_400).optional().describe('Default: 300'),
    logRetentionDays: z.literal(LOG_RETENTION_DAYS).optional().describe('Default: 90'),
    alarmTopicArn: arn('sns', 'an SNS topic').optional().describe('Where alarms are sent'),
    network: network.optional(),
    api: api.optional(),
    inventory: inventory.optional(),
    rewrap: rewrap.optional(),
  })
  .refine((settings) => (settings.vaultWriteSecret === undefined) !== (settings.vaultBucket === undefined), {
    path: ['vaultWriteSecret'],
    message: 'exactly one of vaultWriteSecret and vaultBucket is needed',
  })
  .refine(
    ({ rewrap: part, vaultBucket: bucket }) =>
      part === undefined || (part.vaultRewriteSecret === undefined) !== (bucket === undefined),
    {
      path: ['rewrap', 'vaultRewriteSecret'],
      message: 'is needed unless the vault is a vaultBucket, and not with one',
    },
  )
  .check(({ value, issues }) => {
    const seen = new Map<string, string>();
    for (const [path, name] of secretsOf(value)) {
      const other = name === undefined ? undefined : seen.get(name);
      if (other !== undefined)
        issues.push({ code: 'custom', input: name, path, message: `must not be the secret of ${other}` });
      else if (name !== undefined) seen.set(name, path.join('.'));
    }
  });

interface NamedSecrets {
  readonly publicKeySetSecret: string;
  readonly vaultWriteSecret?: string | undefined;
  readonly idempotencySecret?: string | undefined;
  readonly api?: z.infer<typeof api> | undefined;
  readonly rewrap?: z.infer<typeof rewrap> | undefined;
}

/** Fields that name secrets: no two of them the same, but the private key set, which is one however often it is named. */
function secretsOf(settings: NamedSecrets): [path: string[], name: string | undefined][] {
  const { publicKeySetSecret, vaultWriteSecret, idempotencySecret, api, rewrap } = settings;
  const opening = api?.decrypt?.privateKeySetSecret;
  const rewrapping = rewrap?.privateKeySetSecret;
  return [
    [['publicKeySetSecret'], publicKeySetSecret],
    [['vaultWriteSecret'], vaultWriteSecret],
    [['idempotencySecret'], idempotencySecret],
    [['api', 'vaultReadSecret'], api?.vaultReadSecret],
    [['api', 'vaultDeleteSecret'], api?.vaultDeleteSecret],
    [['api', 'decrypt', 'privateKeySetSecret'], opening],
    [['rewrap', 'privateKeySetSecret'], rewrapping === opening ? undefined : rewrapping],
    [['rewrap', 'vaultRewriteSecret'], rewrap?.vaultRewriteSecret],
  ];
}

const deployment = z.discriminatedUnion('kind', [gatewayDeployment, vaultDeployment], {
  error: 'must be "gateway", which is the default, or "vault"',
});

const deployments = z
  .record(
    z.string().regex(/^[A-Za-z][A-Za-z0-9-]{0,39}$/, 'a name is letters, digits and hyphens'),
    deployment,
  )
  .refine((all) => Object.keys(all).length > 0, 'names no deployment')
  .describe('What `cdk deploy` makes: a stack Sealdrop-NAME each');

/** What `cdk deploy` reads of the file; the rest is left alone. */
export const deploymentsSchema = z.looseObject({ deployments });

export type DeploymentConfig = z.infer<typeof deployment>;
export type GatewayConfig = z.infer<typeof gatewayDeployment>;
export type VaultConfig = z.infer<typeof vaultDeployment>;
