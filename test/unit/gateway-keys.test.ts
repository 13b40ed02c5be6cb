/** From source keys to vault keys, and which inbox a key belongs to. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { InboxSettings } from '../../src/contract.js';
import { assertApartFromVault, assertDistinct, inboxOf } from '../../src/gateway/inboxes.js';
import { escapeKey, unescapeKey } from '../../src/gateway/key-escape.js';
import { assertTemplate, vaultKeyOf } from '../../src/gateway/key-template.js';
import { keyProblem } from '../../src/vault-key.js';

const inbox = (more: Partial<InboxSettings> = {}): InboxSettings => ({
  ...{ bucket: 'inbox', prefix: '', suffix: '', template: '{key}', encode: false, versioned: true },
  ...more,
});
const codeOf = (run: () => unknown): string => {
  try {
    run();
    return 'none';
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('an escaped key', () => {
  test.each([
    ['a/b.txt', 'a/b.txt'],
    ['/a', '%-/a'],
    ['a//b', 'a/%-/b'],
    ['a/', 'a/%-'],
    ['a/../b', 'a/%2E%2E/b'],
    ['./a', '%2E/a'],
    ['...', '...'],
    ['100%', '100%25'],
    ['%-', '%25-'],
    ['%2E', '%252E'],
    ['a\0b', 'a%00b'],
    ['x'.repeat(256), `${'x'.repeat(253)}%+/xxx`],
    [`${'x'.repeat(253)}..x`, `${'x'.repeat(253)}%+/..x`],
    [`${'x'.repeat(254)}..`, `${'x'.repeat(253)}%+/x..`],
    [`${'x'.repeat(253)}...`, `${'x'.repeat(253)}%+/...`],
    [`${'%'.repeat(85)}..`, `${'%25'.repeat(84)}%+/%25..`],
    ['日'.repeat(86), `${'日'.repeat(84)}%+/日日`],
  ])('%j is %j, and back', (key, escaped) => {
    expect(escapeKey(key)).toBe(escaped);
    expect(unescapeKey(escaped)).toBe(key);
  });

  test('whatever the key is: it can be stored if it isn’t too long, it comes back, and no other has it', () => {
    const nasty = fc.constantFrom(
      '/',
      '.',
      '..',
      '%',
      '%-',
      '%+',
      '%2E',
      '\0',
      'a',
      'x'.repeat(253),
      '日'.repeat(50),
      '🗝️',
    );
    const keys = fc.oneof(
      fc.array(nasty, { minLength: 1, maxLength: 8 }).map((pieces) => pieces.join('')),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 300 }),
    );
    fc.assert(
      fc.property(keys, (key) => {
        const escaped = escapeKey(key);
        expect(unescapeKey(escaped)).toBe(key);
        if (Buffer.byteLength(escaped) <= 1024) expect(keyProblem(escaped)).toBeUndefined();
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a template', () => {
  test.each([
    [{}, 'in/a.csv', 'enc/in/a.csv'],
    [{ prefix: 'in/', template: '{rest}' }, 'in/a.csv', 'enc/a.csv'],
    [{ template: '{bucket}/{key}.esdk' }, 'in/a.csv', 'enc/inbox/in/a.csv.esdk'],
    [{ template: 'x/{rest}/y' }, 'a', 'enc/x/a/y'],
    // What a key looks like is no template.
    [{}, '{bucket}$&', 'enc/{bucket}$&'],
    [{ encode: true }, 'a//b%', 'enc/a/%-/b%25'],
  ])('%j makes of %j %j', (more, key, expected) => {
    expect(vaultKeyOf(inbox(more), 'enc/', key)).toBe(expected);
  });

  test.each(['', '/a', 'a//b', 'a/../b', 'a/', 'x'.repeat(256), `${'y/'.repeat(511)}yyy`])(
    'makes no vault key of %j without escapes',
    (key) => {
      const template = key === '' ? 'x/{rest}' : '{key}';
      expect(codeOf(() => vaultKeyOf(inbox({ template }), '', key))).toBe('key_not_storable');
    },
  );

  test.each(['', 'all', '{bucket}', '{key}{name}', '{}', '{Key}'])('%j is refused', (template) => {
    expect(codeOf(() => assertTemplate(template))).toBe('usage');
  });
});

describe('the inbox of an object', () => {
  const inboxes = [
    inbox({ prefix: 'in/', suffix: '.csv' }),
    inbox({ prefix: 'in/deep/', suffix: '' }),
    inbox({ bucket: 'other' }),
  ];
  test.each([
    ['inbox', 'in/a.csv', 'in/'],
    ['inbox', 'in/deep/a.csv', 'in/deep/'],
    ['other', 'anything', ''],
  ])('%s %s lies below %j', (bucket, key, prefix) => {
    expect(inboxOf(inboxes, { bucket, key })).toMatchObject({ bucket, prefix });
  });

  test.each([
    ['Inbox', 'in/a.csv', 'foreign_bucket'],
    ['', '', 'foreign_bucket'],
    ['inbox', 'in/a.txt', 'foreign_key'],
    ['inbox', 'xin/a.csv', 'foreign_key'],
  ])('%s %s: %s', (bucket, key, code) => {
    expect(codeOf(() => inboxOf(inboxes, { bucket, key }))).toBe(code);
  });
});

describe('inboxes of one deployment', () => {
  const none = 'none';
  test.each<[string, Partial<InboxSettings>, Partial<InboxSettings>, string]>([
    ['two buckets, one template', {}, { bucket: 'b' }, 'usage'],
    [
      'two buckets, the bucket in the template',
      { template: '{bucket}/{key}' },
      { bucket: 'b', template: '{bucket}/{key}' },
      none,
    ],
    [
      'a bucket’s name that begins with the other’s',
      { template: '{bucket}/{key}' },
      { bucket: 'inbox-2', template: '{bucket}/{key}' },
      none,
    ],
    [
      'the same, without a slash',
      { template: '{bucket}{key}' },
      { bucket: 'inbox2', template: '{bucket}{key}' },
      'usage',
    ],
    ['one bucket, two prefixes', { prefix: 'a/' }, { prefix: 'b/' }, none],
    [
      'one bucket, two prefixes, cut off',
      { prefix: 'a/', template: '{rest}' },
      { prefix: 'b/', template: '{rest}' },
      'usage',
    ],
    ['one prefix, two suffixes', { suffix: '.csv' }, { suffix: '.txt' }, none],
    [
      'escaped and not',
      { template: '100%/{key}' },
      { bucket: 'b', template: '100%/{key}', encode: true },
      none,
    ],
    [
      'an empty segment, escaped and not',
      { template: 'x//{key}', encode: true },
      { template: 'x/%-/{key}' },
      'usage',
    ],
    ['dots', { template: '../{key}', encode: true }, { template: '%2E%2E/{key}' }, 'usage'],
    ['dots that a key may end', { template: '.{key}', encode: true }, { template: '%2E/{key}' }, 'usage'],
    ['a slash at the begin', { template: '/{key}', encode: true }, { template: '%-/{key}' }, 'usage'],
    ['a prefix', { prefix: 'in//', encode: true }, { prefix: 'in/%-/' }, 'usage'],
    [
      'a long segment',
      { template: `${'q'.repeat(300)}/{key}`, encode: true },
      { template: `${'q'.repeat(253)}%+/${'q'.repeat(47)}/{key}` },
      'usage',
    ],
    [
      'a segment that a key makes long',
      { template: `${'q'.repeat(254)}{key}`, encode: true },
      { template: `${'q'.repeat(253)}%+/{key}` },
      'usage',
    ],
    ['plain words, escaped and not', { template: 'x/{key}', encode: true }, { template: 'y-{key}' }, none],
    ['the first word apart', { template: 'x/a/{key}' }, { template: 'y/a/{key}', encode: true }, none],
  ])('%s: %s', (_, a, b, code) => {
    expect(codeOf(() => assertDistinct([inbox(a), inbox(b)]))).toBe(code);
    expect(codeOf(() => assertDistinct([inbox(b), inbox(a)]))).toBe(code);
  });

  test('that may stand together never come to one vault key', () => {
    const piece = fc.constantFrom(
      ...['/', '.', '..', '%', '%-', '%-/', '%+/', '%2E', '%25', '%00', '\0', 'a', 'a/', 'x'.repeat(253)],
    );
    const text = (maxLength: number) => fc.array(piece, { maxLength }).map((pieces) => pieces.join(''));
    const end = fc.constantFrom('{key}', '{key}', '{rest}', '{key}/{rest}', '{bucket}/{key}', '{rest}.esdk');
    const settings = fc
      .tuple(fc.constantFrom('inbox', 'inbox2'), text(2), text(3), end, fc.boolean())
      .map(([bucket, prefix, head, tail, encode]) =>
        inbox({ bucket, prefix, template: head + tail, encode }),
      );
    // The other one often looks like what the first one writes.
    const alike = fc.constantFrom<(text: string) => string>(
      (text) => text,
      (text) => escapeKey(text),
      (text) => `${escapeKey(text.slice(0, text.lastIndexOf('/')))}/`,
    );
    const pairs = fc.oneof(
      fc.tuple(settings, settings),
      fc
        .tuple(text(3), text(2), alike)
        .map(([head, prefix, change]): [InboxSettings, InboxSettings] => [
          inbox({ prefix, template: `${head}{key}`, encode: true }),
          inbox({ bucket: 'b', prefix: change(prefix), template: `${change(head)}{key}` }),
        ]),
    );
    const written = (each: InboxSettings, rests: readonly string[]) =>
      rests.flatMap((rest) => {
        const key = each.prefix + rest;
        try {
          return [[vaultKeyOf(each, '', key), `${each.bucket} ${key}`] as const];
        } catch {
          return [];
        }
      });
    let accepted = 0;
    fc.assert(
      fc.property(pairs, fc.array(text(4), { maxLength: 8 }), ([a, b], some) => {
        if (codeOf(() => assertDistinct([a, b])) !== 'none') return;
        accepted++;
        const rests = ['a', ...some, ...some.map(escapeKey)];
        const sources = new Map(written(a, rests));
        const taken = written(b, rests).filter(([to, source]) => (sources.get(to) ?? source) !== source);
        expect(taken).toEqual([]);
      }),
      { numRuns: 5000 },
    );
    expect(accepted).toBeGreaterThan(500);
  });

  test.each<[Partial<InboxSettings>, { bucket: string; prefix: string } | undefined, string]>([
    [{}, { bucket: 'inbox', prefix: 'enc/' }, 'usage'],
    [{ prefix: 'in/' }, { bucket: 'inbox', prefix: '' }, 'usage'],
    [{ prefix: 'in/' }, { bucket: 'inbox', prefix: 'in/enc/' }, 'usage'],
    [{ prefix: 'in/' }, { bucket: 'inbox', prefix: 'enc/' }, none],
    [{}, { bucket: 'vault', prefix: '' }, none],
    [{}, undefined, none],
  ])('%j and the vault %j: %s', (a, vault, code) => {
    expect(codeOf(() => assertApartFromVault([inbox(a)], vault))).toBe(code);
  });
});
