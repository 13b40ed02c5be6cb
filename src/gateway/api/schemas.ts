/**
 * JSON Schemas as plain data: requests are checked by them (`check-schema.ts`), and the OpenAPI document is made of
 * them, so that the two cannot disagree.
 */

/** The part of JSON Schema 2020-12 that is used here; `check-schema.ts` knows exactly this. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: 'object' | 'array' | 'string' | 'integer';
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: false | Schema;
  readonly items?: Schema;
  readonly enum?: readonly string[];
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: number;
  /** Said, not checked. */
  readonly format?: 'uri' | 'date-time';
}

/** S3's limit of a POST; also that of the inbox. */
export const MAX_UPLOAD_BYTES = 5 * 1024 ** 3;
export const MAX_PAGE = 200;
export const DEFAULT_PAGE = 100;
const MAX_KEY = 1024;

const key: Schema = {
  type: 'string',
  minLength: 1,
  description: "Below the caller's prefix. At most 1,024 bytes with it; no empty, `.` or `..` segment.",
};
const bytes = (description: string): Schema => ({ type: 'integer', minimum: 0, description });
const fingerprint: Schema = {
  type: 'string',
  pattern: '^[A-Za-z0-9_-]{43}$',
  description: 'SHA-256 of the SPKI DER, base64url.',
};
const fingerprints: Schema = {
  type: 'array',
  items: fingerprint,
  description: 'Keys that the object is said to be wrapped to.',
};
const date: Schema = { type: 'string', format: 'date-time' };
const size = bytes('Plaintext, as the object says; not authenticated. Left out where it is not known.');
const storedSize = bytes('Ciphertext, as the vault holds it.');
const url: Schema = {
  type: 'string',
  format: 'uri',
  description: 'Opens without credentials until it expires.',
};

const object = (
  properties: Readonly<Record<string, Schema>>,
  required: readonly string[] = Object.keys(properties),
): Schema => ({ type: 'object', properties, required, additionalProperties: false });

export const UPLOAD_ID = '^[A-Za-z0-9_-]{22}$';

export const SCHEMAS = {
  Problem: object(
    {
      type: { type: 'string', format: 'uri' },
      title: { type: 'string' },
      status: { type: 'integer', minimum: 400, maximum: 599 },
      code: { type: 'string', description: "sealdrop's code of the error: branch on it." },
      detail: { type: 'string' },
      hint: { type: 'string' },
    },
    ['type', 'title', 'status', 'code'],
  ),
  GatewayMessage: {
    type: 'object',
    properties: { message: { type: 'string' } },
    required: ['message'],
    description: 'What API Gateway says itself.',
  },
  StoredObject: object({ key, size: bytes('Plaintext.'), fingerprints }),
  ListedObject: object({ key, storedSize, size, modified: date }, ['key', 'storedSize', 'modified']),
  ObjectList: object(
    {
      objects: { type: 'array', items: { $ref: '#/components/schemas/ListedObject' } },
      cursor: { type: 'string', description: 'For the next page; left out on the last one.' },
    },
    ['objects'],
  ),
  ObjectLink: object(
    {
      key,
      vaultKey: {
        type: 'string',
        description: 'What the message is bound to: the `sealdrop:key` in its encryption context.',
      },
      ...{ storedSize, size, modified: date, fingerprints, url, expires: date },
    },
    ['key', 'vaultKey', 'storedSize', 'modified', 'fingerprints', 'url', 'expires'],
  ),
  UploadRequest: object(
    {
      name: { type: 'string', minLength: 1, maxLength: MAX_KEY, description: 'The last part of the key.' },
      size: {
        ...bytes('Plaintext, where it is known: then nothing else is taken.'),
        maximum: MAX_UPLOAD_BYTES,
      },
    },
    ['name'],
  ),
  Upload: object({
    id: { type: 'string', pattern: UPLOAD_ID },
    key: { ...key, description: 'Where the object will stand in the vault.' },
    url: { ...url, description: 'Send the form here as multipart/form-data, without credentials.' },
    fields: {
      type: 'object',
      additionalProperties: { type: 'string' },
      description: 'Fields of the form. The file follows them in a field called `file`.',
    },
    maxBytes: bytes('Plaintext.'),
    expires: date,
  }),
  UploadStatus: object(
    {
      id: { type: 'string', pattern: UPLOAD_ID },
      key,
      status: { type: 'string', enum: ['waiting', 'stored', 'failed'] },
      code: { type: 'string', description: "With `failed`: the error's code." },
    },
    ['id', 'key', 'status'],
  ),
  PublicKeys: object({
    keys: {
      type: 'array',
      items: object(
        {
          namespace: { type: 'string', description: '`aws-kms` for a key of AWS KMS.' },
          name: { type: 'string', description: 'Of a key of AWS KMS its ARN, or that of an alias.' },
          fingerprint,
          publicKey: { type: 'string', description: 'SPKI, PEM. Absent where AWS KMS keeps the key.' },
        },
        ['namespace', 'name', 'fingerprint'],
      ),
    },
  }),
  Health: object({ status: { type: 'string', enum: ['ok'] } }),
} as const satisfies Record<string, Schema>;

export type SchemaName = keyof typeof SCHEMAS;

/** Query parameters by name. */
export const LIST_QUERY = {
  prefix: { type: 'string', maxLength: MAX_KEY, description: 'Only keys that begin so.' },
  limit: { type: 'integer', minimum: 1, maximum: MAX_PAGE, default: DEFAULT_PAGE },
  cursor: {
    type: 'string',
    maxLength: 2 * MAX_KEY,
    pattern: '^[A-Za-z0-9_-]+$',
    description: 'Of the page before.',
  },
} as const satisfies Record<string, Schema>;
