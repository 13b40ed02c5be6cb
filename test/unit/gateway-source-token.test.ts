import { describe, expect, test } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import { isLater } from '../../src/gateway/sequencer.js';
import { readSourceToken, sourceToken } from '../../src/gateway/source-token.js';
import { Secret } from '../../src/secret.js';

const key = new Secret(randomBytes(32));
const modified = new Date('2026-01-02T03:04:05Z');
const source = { inbox: 'inbox', key: 'a b', version: 'v+/=1', sequencer: '00AB', modified };
const to = { vaultKey: 'enc/a b', recipients: ['one', 'two'] };
const token = sourceToken(key, source, to);

describe('a source token', () => {
  test('says which version it is of, and its order', () => {
    const claim = readSourceToken(token, key, source, to)!;
    expect(claim).toMatchObject({ version: 'v+/=1', sequencer: '00AB', modified: modified.getTime() / 1000 });
    expect(claim.isOf({ version: 'v+/=1' })).toBe(true);
    expect(claim.isOf({ version: 'v2' })).toBe(false);
    expect(claim.isOf({ state: 'v+/=1' })).toBe(false);
    expect(claim.sameRecipients).toBe(true);
  });

  test.each([
    ['of another key', { ...source, key: 'b' }, to],
    ['of another inbox', { ...source, inbox: 'other' }, to],
    ['at another vault key', source, { ...to, vaultKey: 'enc/b' }],
  ])('proves nothing %s', (_, from, at) => {
    expect(readSourceToken(token, key, from, at)).toBeUndefined();
  });

  test('proves nothing under another secret', () => {
    expect(readSourceToken(token, new Secret(randomBytes(32)), source, to)).toBeUndefined();
  });

  test('of other recipients is of this version, and no duplicate', () => {
    const claim = readSourceToken(token, key, source, { ...to, recipients: ['one'] })!;
    expect(claim.isOf(source)).toBe(true);
    expect(claim.sameRecipients).toBe(false);
    expect(readSourceToken(token, key, source, { ...to, recipients: ['two', 'one'] })?.sameRecipients).toBe(
      true,
    );
  });

  test('with any character changed proves nothing', () => {
    for (let i = 0; i < token.length; i++) {
      const changed = `${token.slice(0, i)}${token[i] === 'A' ? 'B' : 'A'}${token.slice(i + 1)}`;
      expect(readSourceToken(changed, key, source, to)).toBeUndefined();
    }
  });

  test.each([
    undefined,
    '',
    'v1',
    'v1......',
    `${token}.`,
    `.${token}`,
    token.slice(0, -1),
    `${token}A`,
    'v1.a.b',
  ])('%j proves nothing', (forged) => {
    expect(readSourceToken(forged, key, source, to)).toBeUndefined();
  });

  test('without versions holds no ETag, in no form', () => {
    const etag = createHash('md5').update('plaintext').digest('hex');
    const made = sourceToken(key, { inbox: 'i', key: 'k', state: etag }, to);
    const raw = Buffer.from(etag, 'hex');
    for (const form of [
      etag,
      raw.toString('base64'),
      raw.toString('base64url'),
      Buffer.from(etag).toString('base64url'),
    ])
      expect(made).not.toContain(form);
    const claim = readSourceToken(made, key, { inbox: 'i', key: 'k' }, to)!;
    expect(claim.version).toBeUndefined();
    expect(claim.isOf({ state: etag })).toBe(true);
    expect(claim.isOf({ state: 'other' })).toBe(false);
    expect(claim.isOf({ version: etag })).toBe(false);
  });

  test('fits into metadata, whatever the version id is, and is ASCII', () => {
    const long = { ...source, version: 'v'.repeat(1024) };
    const made = sourceToken(key, long, to);
    expect(made.length).toBeLessThan(300);
    expect(sourceToken(key, { ...source, version: '日'.repeat(200) }, to)).toMatch(/^[\w.-]{1,1000}$/);
    expect(readSourceToken(made, key, long, to)?.isOf(long)).toBe(true);
    expect(readSourceToken(made, key, long, to)?.isOf({ version: `${'v'.repeat(1023)}w` })).toBe(false);
  });

  test.each(['', 'xyz', '-1', '1.2', 'A'.repeat(65), '00AB\n'])('takes %j for no sequencer', (sequencer) => {
    const made = sourceToken(key, { ...source, sequencer }, to);
    expect(readSourceToken(made, key, source, to)).toMatchObject({ sequencer: undefined });
  });
});

/** The rule of AWS's documentation. */
describe('sequencers', () => {
  test.each([
    ['0055AED6DCD90281E5', '0055AED6DCD90281E6', -1],
    ['0055AED6DCD90281E5', '0055AED6DCD90281E5', 0],
    ['0055AED6DCD90281E5', '0055aed6dcd90281e5', 0],
    ['10', '1', 0],
    ['1', '02', 1],
    ['00FF', '00FF01', -1],
    ['1', '0FFFFFFFFF', 1],
  ])('%s and %s: %i', (a, b, order) => {
    expect(isLater(a, b)).toBe(order > 0);
    expect(isLater(b, a)).toBe(order < 0);
  });
});
