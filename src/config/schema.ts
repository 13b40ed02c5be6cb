/** sealdrop.config.json: what the command reads of it, and all of it for editors. */
import { z } from 'zod';
import { parseAddress } from '../address.js';
import { holdsKey } from '../key-input.js';
import { CHECKSUM_MODES, COMMITMENT_POLICIES, ENCRYPTING_FORMATS } from '../ports.js';
import { CONDITIONAL_WRITES, PROVIDERS } from '../store-traits.js';
import { deploymentsSchema } from './deployment.js';

const MIB = 1024 * 1024;
const text = z.string().min(1);
const file = text.refine((value) => !holdsKey(value), 'names a file, and holds a key itself');

const store = {
  provider: z.enum(PROVIDERS).optional().describe('Kind of store: sets what is not given here'),
  endpointUrl: z
    .url({ protocol: /^https?$/, error: 'must be a URL like https://host:port' })
    .refine(hasNoCredentials, 'must hold no user name or password')
    .optional()
    .describe("The S3-compatible store. Default: the provider's, or AWS's"),
  region: text.optional(),
  profile: text.optional().describe('Profile of the AWS configuration files, for credentials'),
  caBundle: file.optional().describe('PEM file of certificate authorities to trust'),
  account: text.optional().describe('What the endpoints of some providers begin with'),
  pathStyle: z.boolean().optional().describe('Whether the bucket is in the path. Default: true'),
  checksum: z.enum(CHECKSUM_MODES).optional().describe('How uploads are checked. Default: auto'),
  conditionalWrites: z
    .enum(CONDITIONAL_WRITES)
    .optional()
    .describe('Which conditions the store keeps: all, absent (If-None-Match alone), none'),
  listVersion: z.literal([1, 2]).optional().describe('Version of the request that lists objects'),
  listEncoding: z.enum(['url', 'none']).optional(),
  minPartSize: z
    .int()
    .min(5 * MIB)
    .optional()
    .describe('Bytes'),
  maxParts: z.int().min(2).max(10_000).optional(),
  maxAttempts: z.int().min(1).max(20).optional().describe('Times that a request is sent before it fails'),
  partSize: z
    .int()
    .min(5 * MIB)
    .optional()
    .describe("Bytes. Default: from the object's size"),
  concurrency: z
    .int()
    .min(1)
    .max(32)
    .optional()
    .describe('Parts of an object under way at the same time. Default: as many as are faster than fewer'),
  memory: z
    .int()
    .min(10 * MIB)
    .optional()
    .describe('Bytes that the buffers of transfers may take. Default: 100663296 (96 MiB)'),
};

const vault = z
  .strictObject({
    address: z
      .string()
      .check(({ value, issues }) => {
        const message = addressProblem(value);
        if (message !== undefined) issues.push({ code: 'custom', input: value, message });
      })
      .describe('s3://bucket/prefix or file:///directory'),
    binding: z
      .enum(['required', 'allow'])
      .optional()
      .describe('Whether messages that name no key are refused. Default: required'),
    format: z
      .enum(ENCRYPTING_FORMATS)
      .optional()
      .describe('What is written: docs/formats.md. Default: esdk. What is read tells itself apart'),
    commitmentPolicy: z
      .enum(COMMITMENT_POLICIES)
      .optional()
      .describe("AWS's clients' policy. Default: REQUIRE_ENCRYPT_REQUIRE_DECRYPT"),
    allowLegacy: z
      .boolean()
      .optional()
      .describe('Read objects of the S3 Encryption Client that nothing authenticates. Default: false'),
    sse: z
      .string()
      .regex(/^(AES256|bucket|c|aws:kms(:.+)?)$/, 'must be AES256, aws:kms, aws:kms:KEY, bucket or c')
      .optional()
      .describe('Encryption by the store besides ours (docs/sse.md)'),
    sseKeyFile: file.optional().describe('File with the key for "c", or secretsmanager:NAME'),
    ...store,
  })
  .check(({ value, issues }) => {
    issues.push(...envelopeIssues(value));
    if ((value.sse === 'c') === (value.sseKeyFile !== undefined)) return;
    const message = value.sse === 'c' ? 'is needed for "c"' : 'is for "sse": "c"';
    issues.push({ code: 'custom', input: value.sseKeyFile, path: ['sseKeyFile'], message });
  })
  .describe('A vault: NAME:key is a key in it');

const keys = z
  .strictObject({
    publicKeys: z.array(file).min(1).optional().describe('Files; every object is wrapped to all of them'),
    privateKeys: z.array(file).min(1).optional().describe('Files; they open objects'),
    recipients: z
      .array(file)
      .min(1)
      .optional()
      .describe('As publicKeys; raw AES keys (secretKey) may be in them'),
    keySet: file
      .optional()
      .describe('Key set to encrypt to, where no key is named by itself, and to open with'),
    keyProfile: text.optional().describe('Profile for keys that AWS keeps. Default: that of the vault'),
    keyName: text.optional().describe('Name of a bare key in messages. Default: S3RSAKey'),
    keyNamespace: text.optional().describe('Its namespace. Default: MyAppKeys'),
  })
  .describe(
    'Keys where no option names any: files, secretsmanager:NAME, ssm:NAME or kms:ARN. Relative paths begin at the directory of this file',
  );

const parts = {
  $schema: z.string().optional(),
  vaults: z
    .record(z.string().regex(/^[A-Za-z][A-Za-z0-9-]{0,39}$/, 'a name is letters, digits and hyphens'), vault)
    .optional()
    .describe('Vaults by name'),
  keys: keys.optional(),
  defaults: z
    .strictObject({
      ...store,
      resumeFrom: z
        .int()
        .min(0)
        .optional()
        .describe('Bytes from which on an interrupted transfer can be gone on with. Default: 64 MiB'),
    })
    .optional()
    .describe('Of the store, for every vault that does not say otherwise; and of transfers'),
};

/** What the command reads; deployments are `cdk deploy`'s, and a mistake there stops nothing here. */
export const configSchema = z.strictObject({ ...parts, deployments: z.unknown().optional() });

export type ConfigDocument = z.infer<typeof configSchema>;

function hasNoCredentials(text: string): boolean {
  // What is no URL at all has been told.
  if (!URL.canParse(text)) return true;
  const { username, password } = new URL(text);
  return username === '' && password === '';
}

/** Objects that its own readers would refuse are not written to a vault. */
function envelopeIssues(value: {
  format?: string | undefined;
  binding?: string | undefined;
  commitmentPolicy?: string | undefined;
}) {
  const { format = 'esdk', binding, commitmentPolicy } = value;
  const issue = (path: string, input: unknown, message: string) => ({
    code: 'custom' as const,
    input,
    path: [path],
    message,
  });
  if (format === 'esdk') return [];
  return [
    ...(binding === 'allow' ? [] : [issue('binding', binding, `must be "allow" for "${format}"`)]),
    ...(format !== 's3ec-v2' || commitmentPolicy === 'FORBID_ENCRYPT_ALLOW_DECRYPT'
      ? []
      : [
          issue(
            'commitmentPolicy',
            commitmentPolicy,
            `must be "FORBID_ENCRYPT_ALLOW_DECRYPT" for "${format}"`,
          ),
        ]),
  ];
}

function addressProblem(text: string): string | undefined {
  try {
    const address = parseAddress(text);
    if (address.kind === 's3' || (address.kind === 'file' && address.named)) return undefined;
  } catch {
    // Said below, in one sentence for all of them.
  }
  return 'must be s3://bucket/prefix or file:///directory';
}

/** The whole file for editors, as JSON Schema (draft 2020-12): sealdrop.schema.json. */
export function configJsonSchema(): object {
  const whole = z.strictObject({ ...parts, deployments: deploymentsSchema.shape.deployments.optional() });
  return { ...z.toJSONSchema(whole, { io: 'input' }), title: 'sealdrop.config.json' };
}
