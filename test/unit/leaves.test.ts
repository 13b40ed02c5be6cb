/** The leaves: which keys can be stored, what may be shown on a terminal, and what may never be shown. */
import { format, inspect } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { exitCodeOf, isIntegrityError, SealdropError, systemCode } from '../../src/errors.js';
import { printable } from '../../src/printable.js';
import { Secret } from '../../src/secret.js';
import { assertStorableKey, keyProblem } from '../../src/vault-key.js';

describe('a vault key can be stored', () => {
  test.each([
    'a',
    'a/b/c.txt',
    '報告書/四半期 第1.pdf',
    '🍣',
    '...',
    '.hidden/..still/a..b',
    ' ',
    'a b\tc',
    'C:\\a',
    '-rf',
    'a'.repeat(255),
    `${'a'.repeat(255)}/`.repeat(3) + 'b'.repeat(256 - 1),
    '鍵'.repeat(85),
  ])('%j', (key) => {
    expect(keyProblem(key)).toBeUndefined();
  });
});

describe('a vault key is refused, because stores keep it under another name', () => {
  test.each([
    ['', 'empty'],
    ['/a', 'begins with a slash'],
    ['/', 'begins with a slash'],
    ['a/', 'empty segment'],
    ['a//b', 'empty segment'],
    ['.', 'segment "."'],
    ['..', 'segment ".."'],
    ['a/./b', 'segment "."'],
    ['../a', 'segment ".."'],
    ['a/..', 'segment ".."'],
    ['a\0b', 'NUL'],
    ['\ud800', 'not valid Unicode'],
    ['a/\udc00b', 'not valid Unicode'],
    ['a'.repeat(256), 'segment longer than 255 bytes'],
    ['鍵'.repeat(86), 'segment longer than 255 bytes'],
    [`${'a'.repeat(255)}/`.repeat(4) + 'b', 'longer than 1024 bytes'],
  ])('%j: %s', (key, why) => {
    expect(keyProblem(key)).toContain(why);
    expect(() => assertStorableKey(key)).toThrow(expect.objectContaining({ code: 'key_not_storable' }));
  });

  test('and the message shows it in one line that cannot move a cursor', () => {
    expect(() => assertStorableKey('/a\n\u001b[31m')).toThrow('/a\\u{a}\\u{1b}[31m');
  });
});

describe('a name as it is shown', () => {
  test.each(['plain name.txt', '四半期報告書', 'Ünïcödé', '👩‍💻'.replace('\u200d', ''), 'עברית', 'a\\b'])(
    '%s stays',
    (name) => {
      expect(printable(name)).toBe(name);
    },
  );

  test.each([
    ['a line feed', 'a\nb', 'a\\u{a}b'],
    ['an escape sequence', '\u001b[2J', '\\u{1b}[2J'],
    ['a C1 control', '\u009b2J', '\\u{9b}2J'],
    ['a delete', '\u007f', '\\u{7f}'],
    ['a right-to-left override', 'exe\u202etxt', 'exe\\u{202e}txt'],
    ['an isolate', '\u2066a\u2069', '\\u{2066}a\\u{2069}'],
    ['a line separator', 'a\u2028b\u2029', 'a\\u{2028}b\\u{2029}'],
    ['a zero-width space', 'a\u200bb', 'a\\u{200b}b'],
    ['a byte order mark', '\ufeffa', '\\u{feff}a'],
    ['half a character', 'a\ud83cb', 'a\\u{d83c}b'],
  ])('%s is escaped', (_what, name, shown) => {
    expect(printable(name)).toBe(shown);
    expect(printable(shown)).toBe(shown);
  });
});

describe('a secret is shown nowhere', () => {
  const value = 'hunter2-hunter2';
  const secret = new Secret(value);
  const nested = { deep: { list: [secret], map: new Map([['k', secret]]), set: new Set([secret]) } };
  class Failure extends Error {
    readonly passphrase = secret;
  }
  const failure = new Failure('no', { cause: { secret } });
  const shown: Record<string, () => string> = {
    'as a string': () => String(secret),
    'in a template': () => `${secret as unknown as string}`,
    'joined to text': () => 'x' + (secret as unknown as string),
    'in JSON': () => JSON.stringify({ secret, nested }),
    inspected: () => inspect(secret),
    'inspected with everything hidden shown': () =>
      inspect(nested, { showHidden: true, depth: null, getters: true }),
    'inspected without its own say': () => inspect(secret, { customInspect: false, showHidden: true }),
    'in a log line': () => format('%s %o %O %j %d', secret, secret, nested, secret, secret),
    'in an error': () => inspect(failure) + JSON.stringify(failure) + String(failure.stack),
    'among its properties': () =>
      JSON.stringify([Object.getOwnPropertyNames(secret), Object.entries(secret), { ...secret }]),
  };

  test.each(Object.keys(shown))('%s', (how) => {
    expect(shown[how]!()).not.toContain('hunter2');
  });

  test('but to who asks for it', () => {
    expect(secret.reveal()).toBe(value);
  });
});

describe('errors', () => {
  test('have the exit code of their class', () => {
    const code = (name: ConstructorParameters<typeof SealdropError>[0]) =>
      exitCodeOf(new SealdropError(name, ''));
    expect([code('internal'), code('usage'), code('object_not_found'), code('access_denied')]).toEqual([
      1, 2, 3, 4,
    ]);
    expect([code('truncated'), code('partial'), code('interrupted')]).toEqual([5, 6, 130]);
    expect(exitCodeOf(new Error('x'))).toBe(1);
    expect(exitCodeOf(undefined)).toBe(1);
  });

  test('of integrity are told from the others', () => {
    expect(isIntegrityError(new SealdropError('frame_auth', ''))).toBe(true);
    expect(isIntegrityError(new SealdropError('access_denied', ''))).toBe(false);
    expect(isIntegrityError(new Error('frame_auth'))).toBe(false);
  });

  test('keep the code of the system wherever it is among the causes, and end in a circle of causes', () => {
    const low = Object.assign(new Error('x'), { code: 'ENOSPC' });
    expect(systemCode(new Error('a', { cause: new Error('b', { cause: low }) }))).toBe('ENOSPC');
    expect(systemCode(Object.assign(new Error('x'), { code: 'ERR_STREAM' }))).toBeUndefined();
    const circle = new Error('a');
    circle.cause = circle;
    expect(systemCode(circle)).toBeUndefined();
  });
});
