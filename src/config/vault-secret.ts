/**
 * The secret that says where a vault is and with which credentials: read by hand, so that no schema library gets into
 * what encrypts. Messages name fields and never values, nor fields that they do not know.
 */
import { SealdropError } from '../errors.js';
import { Secret } from '../secret.js';
import { PROVIDERS, type ProviderName } from '../store-traits.js';
import { keyProblem } from '../vault-key.js';

export interface VaultSecret {
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  /** Empty, or with a slash at its end. */
  readonly prefix: string;
  readonly credentials: Secret<{
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  }>;
  /** Which kind of store it is. */
  readonly provider: ProviderName | undefined;
  /** PEM of certificates to trust besides the public ones. */
  readonly caCertificate: string | undefined;
}

const TEXTS = [
  'endpoint',
  'region',
  'bucket',
  'prefix',
  'accessKeyId',
  'secretAccessKey',
  'sessionToken',
  'provider',
  'caCertificate',
] as const;
const REQUIRED = ['endpoint', 'region', 'bucket', 'accessKeyId', 'secretAccessKey'] as const;
const FIELDS: readonly string[] = [...TEXTS, 'allowHttp'];

type Fields = Partial<Record<(typeof TEXTS)[number], string>>;

/**
 * @param where what messages call it
 * @throws SealdropError `secret_malformed`
 */
export function parseVaultSecret(bytes: Uint8Array, where: string): VaultSecret {
  const record = parseObject(bytes, where);
  const fields = textsOf(record, where);
  for (const name of REQUIRED) if (!fields[name]) throw malformed(`${where}: ${name} is missing or empty`);
  const { endpoint = '', region = '', bucket = '', caCertificate, sessionToken } = fields;
  const provider = providerOf(fields, where);
  assertEndpoint(endpoint, record.allowHttp, where);
  if (bucket.includes('/')) throw malformed(`${where}: bucket must be a name without slashes`);
  if (caCertificate !== undefined && !/-----BEGIN CERTIFICATE-----/.test(caCertificate))
    throw malformed(`${where}: caCertificate must be a certificate in PEM`);
  const { accessKeyId = '', secretAccessKey = '' } = fields;
  const credentials = new Secret({ accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) });
  const prefix = vaultPrefix(fields.prefix ?? '', where);
  return { endpoint, region, bucket, prefix, credentials, provider, caCertificate };
}

/**
 * A prefix as keys begin with it: a slash at its end is added.
 * @throws SealdropError `secret_malformed`
 */
export function vaultPrefix(text: string, where: string): string {
  if (text === '') return '';
  const prefix = text.endsWith('/') ? text : `${text}/`;
  const problem = keyProblem(`${prefix}x`);
  if (problem !== undefined) throw malformed(`${where}: prefix cannot be one of keys: ${problem}`);
  return prefix;
}

function parseObject(bytes: Uint8Array, where: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    // The parser's own message shows what it read.
    throw malformed(`${where} is not JSON`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw malformed(`${where} must be a JSON object`);
  return value as Record<string, unknown>;
}

function textsOf(record: Record<string, unknown>, where: string): Fields {
  // Not named: whoever mixes up names and values has a secret there.
  if (Object.keys(record).some((name) => !FIELDS.includes(name)))
    throw malformed(`${where} has a field that is not one of ${FIELDS.join(', ')}`);
  for (const name of TEXTS)
    if (record[name] !== undefined && typeof record[name] !== 'string')
      throw malformed(`${where}: ${name} must be text`);
  return record;
}

function providerOf({ provider }: Fields, where: string): ProviderName | undefined {
  if (!provider) return undefined;
  const known = PROVIDERS.find((name) => name === provider);
  if (known === undefined) throw malformed(`${where}: provider must be one of ${PROVIDERS.join(', ')}`);
  return known;
}

function assertEndpoint(endpoint: string, allowHttp: unknown, where: string): void {
  if (allowHttp !== undefined && typeof allowHttp !== 'boolean')
    throw malformed(`${where}: allowHttp must be true or false`);
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '')
    throw malformed(`${where}: endpoint must be a URL like https://host:port, without user name or password`);
  if (url.protocol === 'http:' && allowHttp !== true)
    throw malformed(`${where}: endpoint is http, where others can read credentials' signatures and names`, {
      hint: 'take https, or allow it for tests with "allowHttp": true',
    });
}

function malformed(message: string, details: { hint?: string } = {}): SealdropError {
  return new SealdropError('secret_malformed', message, details);
}
