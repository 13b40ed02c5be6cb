import { describe, expect, test } from '@jest/globals';
import { inspect } from 'node:util';
import { parseVaultSecret } from '../../src/config/vault-secret.js';

const GOOD = {
  ...{ endpoint: 'https://store.example:9000', region: 'r', bucket: 'b', prefix: 'p' },
  ...{ accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'SECRETEXAMPLE' },
};
const parse = (value: unknown) =>
  parseVaultSecret(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)), 'the secret x');

describe('the secret of a vault', () => {
  test('is read, its prefix with a slash, its credentials unprintable', () => {
    const secret = parse({ ...GOOD, sessionToken: 'TOKENEXAMPLE', provider: 'minio' });
    expect(secret).toMatchObject({
      endpoint: GOOD.endpoint,
      region: 'r',
      bucket: 'b',
      prefix: 'p/',
      provider: 'minio',
    });
    expect(secret.credentials.reveal()).toEqual({
      ...{ accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'SECRETEXAMPLE', sessionToken: 'TOKENEXAMPLE' },
    });
    expect(`${inspect(secret)}${JSON.stringify(secret)}`).not.toContain('EXAMPLE');
  });

  test.each([
    ['endpoint', undefined],
    ['endpoint', ''],
    ['endpoint', 'store.example'],
    ['endpoint', 'ftp://store.example'],
    ['endpoint', 'https://AKIDEXAMPLE:SECRETEXAMPLE@store.example'],
    ['endpoint', 'http://SECRETEXAMPLE.example'],
    ['region', undefined],
    ['bucket', undefined],
    ['bucket', 'b/SECRETEXAMPLE'],
    ['prefix', '/SECRETEXAMPLE'],
    ['prefix', 'a//SECRETEXAMPLE'],
    ['prefix', 17],
    ['accessKeyId', undefined],
    ['secretAccessKey', ''],
    ['secretAccessKey', { SECRETEXAMPLE: 1 }],
    ['sessionToken', 1],
    ['caCertificate', 'SECRETEXAMPLE'],
    ['allowHttp', 'SECRETEXAMPLE'],
  ])('with %s %j is malformed, and the message names the field and no value', (field, value) => {
    let message = '';
    try {
      parse({ ...GOOD, [field]: value });
    } catch (error) {
      expect(error).toMatchObject({ code: 'secret_malformed' });
      const { hint, cause } = error as { hint?: string; cause?: unknown };
      message = `${(error as Error).message} ${hint} ${inspect(cause)}`;
    }
    expect(message).toContain(field);
    expect(message).not.toContain('EXAMPLE');
  });

  test.each([
    'SECRETEXAMPLE',
    '"SECRETEXAMPLE"',
    '["SECRETEXAMPLE"]',
    '{"SECRETEXAMPLE',
    '',
    'null',
    { ...GOOD, SECRETEXAMPLE: 1 },
  ])('%j is malformed, and its text stays unsaid', (value) => {
    let seen: unknown;
    try {
      parse(value);
    } catch (error) {
      seen = error;
    }
    expect(seen).toMatchObject({ code: 'secret_malformed' });
    expect(`${inspect(seen)}`.replace(/^\s+at .*$/gm, '')).not.toContain('EXAMPLE');
  });

  test('an http endpoint is taken where it is allowed', () => {
    expect(parse({ ...GOOD, endpoint: 'http://127.0.0.1:9000', allowHttp: true }).endpoint).toBe(
      'http://127.0.0.1:9000',
    );
  });
});
