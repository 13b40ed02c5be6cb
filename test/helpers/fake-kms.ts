/**
 * What speaks like AWS KMS, as far as data keys go: it keeps what it was asked, and answers wrongly on demand. Ciphertexts
 * are bound to their encryption context, as KMS binds them. And like STS, where a role wants a token code: each works once.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface KmsCall {
  readonly operation: string;
  readonly keyId: string;
  readonly context: Readonly<Record<string, string>>;
  readonly grantTokens: readonly string[];
  /** Of a data key that is asked for by its kind. */
  readonly keySpec: string | undefined;
  /** As the request's signature says. */
  readonly region: string;
  readonly accessKeyId: string;
}

export interface AssumedRole {
  readonly role: string;
  readonly device: string;
  readonly code: string;
}

export interface KmsAnswer {
  readonly status: number;
  readonly body: object | string;
}

export interface FakeKms {
  readonly endpoint: string;
  readonly calls: KmsCall[];
  /** Roles that were assumed. */
  readonly sessions: AssumedRole[];
  /** Aliases, by their name or ARN. */
  readonly aliases: Map<string, string>;
  /** Answers so in place of what is right; undefined lets the answer be. */
  answer: ((call: KmsCall, right: () => KmsAnswer) => KmsAnswer | undefined) | undefined;
  reset(): void;
  stop(): Promise<void>;
}

export const ACCOUNT = '111122223333';
export const keyArn = (id: string, account = ACCOUNT, region = 'us-east-1') =>
  `arn:aws:kms:${region}:${account}:key/${id}`;

interface Question {
  KeyId: string;
  EncryptionContext?: Record<string, string>;
  GrantTokens?: string[];
  Plaintext?: string;
  CiphertextBlob?: string;
  NumberOfBytes?: number;
  KeySpec?: 'AES_256' | 'AES_128';
}

const BYTES_OF = { AES_128: 16, AES_256: 32 };

export const refusal = (type: string, message: string, status = 400): KmsAnswer => ({
  status,
  body: { __type: type, message },
});

export async function startFakeKms(): Promise<FakeKms> {
  const secrets = new Map<string, Buffer>();
  const fake: Omit<FakeKms, 'endpoint' | 'stop'> = {
    calls: [],
    sessions: [],
    aliases: new Map(),
    answer: undefined,
    reset() {
      fake.calls.length = 0;
      fake.sessions.length = 0;
      fake.aliases.clear();
      fake.answer = undefined;
    },
  };
  const secretOf = (arn: string) => {
    const known = secrets.get(arn) ?? randomBytes(32);
    secrets.set(arn, known);
    return known;
  };

  function right(operation: string, question: Question): KmsAnswer {
    const arn = fake.aliases.get(question.KeyId) ?? question.KeyId;
    if (!arn.includes(':key/')) return refusal('NotFoundException', `Alias ${question.KeyId} is not found.`);
    if (operation === 'Decrypt') {
      const [from, ...sealed] = Buffer.from(question.CiphertextBlob!, 'base64').toString('latin1').split('|');
      const bytes = Buffer.from(sealed.join('|'), 'latin1');
      if (from !== arn) return refusal('IncorrectKeyException', 'The key ID is not the one that encrypted.');
      const plaintext = unsealed(bytes, secretOf(arn), question.EncryptionContext);
      if (plaintext === undefined) return refusal('InvalidCiphertextException', '');
      return { status: 200, body: { KeyId: arn, Plaintext: plaintext.toString('base64') } };
    }
    const generated = operation === 'GenerateDataKey';
    const plaintext = generated
      ? randomBytes(question.NumberOfBytes ?? BYTES_OF[question.KeySpec!])
      : Buffer.from(question.Plaintext!, 'base64');
    const wrapped = sealed(plaintext, secretOf(arn), question.EncryptionContext);
    const CiphertextBlob = Buffer.concat([Buffer.from(`${arn}|`), wrapped]).toString('base64');
    const Plaintext = plaintext.toString('base64');
    return { status: 200, body: { KeyId: arn, CiphertextBlob, ...(generated && { Plaintext }) } };
  }

  const server = createServer((incoming, outgoing) => {
    const pieces: Buffer[] = [];
    incoming.on('data', (piece: Buffer) => pieces.push(piece));
    incoming.on('end', () => {
      const body = Buffer.concat(pieces).toString();
      if (incoming.headers['x-amz-target'] === undefined) {
        const { status, body: xml } = assumeRole(new URLSearchParams(body), fake.sessions);
        outgoing.writeHead(status, { 'content-type': 'text/xml' }).end(xml);
        return;
      }
      const operation = String(incoming.headers['x-amz-target']).replace('TrentService.', '');
      const question = JSON.parse(body) as Question;
      const [, accessKeyId, , region] =
        /Credential=([^/]+)\/(\d+)\/([^/]+)\//.exec(String(incoming.headers.authorization)) ?? [];
      const { KeyId: keyId, EncryptionContext: context = {}, GrantTokens: grantTokens = [] } = question;
      const signed = { region: region!, accessKeyId: accessKeyId! };
      const call = { operation, keyId, context, grantTokens, keySpec: question.KeySpec, ...signed };
      fake.calls.push(call);
      const correct = () => right(operation, question);
      const { status, body: said } = fake.answer?.(call, correct) ?? correct();
      outgoing.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' });
      outgoing.end(typeof said === 'string' ? said : JSON.stringify(said));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(fake, {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
}

/** Source: AWS STS API reference, AssumeRole. */
function assumeRole(form: URLSearchParams, sessions: AssumedRole[]): { status: number; body: string } {
  const [role, device, code] = ['RoleArn', 'SerialNumber', 'TokenCode'].map((name) => form.get(name) ?? '');
  const used = sessions.some((session) => session.code === code);
  sessions.push({ role: role!, device: device!, code: code! });
  if (used || code === '000000')
    return {
      status: 403,
      body: '<ErrorResponse><Error><Code>AccessDenied</Code><Message>MultiFactorAuthentication failed with invalid MFA one time pass code.</Message></Error></ErrorResponse>',
    };
  const expiration = new Date(Date.now() + 3_600_000).toISOString();
  return {
    status: 200,
    body: `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE${code}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>${expiration}</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>A:x</AssumedRoleId><Arn>${role}/x</Arn></AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>`,
  };
}

const aadOf = (context: Record<string, string> = {}) =>
  Buffer.from(JSON.stringify(Object.entries(context).sort(([a], [b]) => (a < b ? -1 : 1))));

function sealed(plaintext: Buffer, key: Buffer, context?: Record<string, string>): Buffer {
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(aadOf(context));
  return Buffer.concat([iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

function unsealed(bytes: Buffer, key: Buffer, context?: Record<string, string>): Buffer | undefined {
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12)).setAAD(aadOf(context));
    decipher.setAuthTag(bytes.subarray(-16));
    return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]);
  } catch {
    return undefined;
  }
}
