import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { documents, until, type Result } from '../helpers/cli.js';
import { newVault, OTHER, PAIR, type TestVault } from '../helpers/cli-vault.js';
import { startFaultProxy, type FaultProxy } from '../helpers/fault-proxy.js';
import { SETUP_TIME, startMinio, type S3Server } from '../helpers/servers.js';
import { craft } from '../vectors/craft.mjs';

const PUBLIC = ['--public-key', 'public_key.pem'];
const PRIVATE = ['--private-key', 'private_key.pem'];
const MIB = 1024 * 1024;
const ESCAPE = '\u001b';
const CURSOR_BACK = `${ESCAPE}[?25h`;

let server: S3Server;
beforeAll(async () => {
  server = await startMinio();
}, SETUP_TIME);
afterAll(async () => server.stop());

describe('the progress bar', () => {
  let vault: TestVault;
  let proxy: FaultProxy;
  beforeAll(async () => {
    vault = await newVault('s3', server);
    proxy = await startFaultProxy(server.endpoint);
    vault.box.write('large', randomBytes(12 * MIB));
    await vault.box.run(['put', 'large', `${vault.address}/object`, ...PUBLIC]);
  });
  afterAll(async () => proxy.close());

  const slowly = () => {
    proxy.reset();
    proxy.add({ url: 'partNumber=', delay: 400, times: 100 });
    proxy.add({ method: 'GET', url: '/object', delay: 400, times: 100 });
    return { env: { SEALDROP_ENDPOINT_URL: proxy.endpoint } };
  };
  const put = ['put', 'large', '--part-size', '5MiB', '--parallel', '1', ...PUBLIC];
  const BAR =
    /large \[[#-]{24}\] [\d.]+ (B|[KM]iB) of 12\.0 MiB, [\d.]+ (B|[KM]iB)\/s, (\d+h)?(\d+m)?\d+s left/;

  test('shows bytes, rate and time left, and is gone at the end', async () => {
    const { code, screen } = await vault.box.terminal([...put, `${vault.address}/bar`], [], slowly());
    expect(code).toBe(0);
    expect(screen).toMatch(BAR);
    expect(screen.endsWith(`large -> ${vault.address}/bar (12.0 MiB)\r\n`)).toBe(true);
    expect(screen.lastIndexOf(CURSOR_BACK)).toBeGreaterThan(screen.lastIndexOf(`${ESCAPE}[?25l`));
  });

  test('shows the same of get and verify', async () => {
    for (const args of [
      ['get', `${vault.address}/object`, 'got', ...PRIVATE],
      ['verify', `${vault.address}/object`],
    ]) {
      const { code, screen } = await vault.box.terminal(args, [], slowly());
      expect(code).toBe(0);
      expect(screen).toMatch(/object \[[#-]{24}\] [\d.]+ (B|[KM]iB) of 12\.0 MiB, /);
    }
  });

  test.each([['--quiet'], ['--json']])('is hidden by %s', async (option) => {
    const { screen } = await vault.box.terminal([...put, `${vault.address}/bar`, option], [], slowly());
    expect(screen).not.toContain('[#');
    expect(screen).not.toContain(ESCAPE);
    expect(screen.split('\r\n')).toHaveLength(option === '--json' ? 2 : 1);
  });

  test('is absent where standard error is no terminal', async () => {
    const { stderr } = await vault.box.run([...put, `${vault.address}/bar`], slowly());
    expect(stderr).toBe(`large -> ${vault.address}/bar (12.0 MiB)\n`);
  });

  test('does not write into content that goes to the same terminal', async () => {
    vault.box.write('lines', 'one\ntwo\n');
    await vault.box.run(['put', 'lines', `${vault.address}/object-lines`, ...PUBLIC]);
    const { screen } = await vault.box.terminal(
      ['cat', `${vault.address}/object-lines`, ...PRIVATE],
      [],
      slowly(),
    );
    expect(screen).toBe('one\r\ntwo\r\n');
  });

  test.each([[1], [2]])('gives the cursor back after %d times Ctrl-C', async (times) => {
    const never = () => new Promise(() => undefined);
    const { env } = slowly();
    proxy.reset();
    proxy.add({ url: 'partNumber=', before: never, times: 100 });
    if (times > 1) proxy.add({ method: 'DELETE', before: never, times: 100 });
    const [first, second] = [`first-${times}`, 'second'].map((name) => vault.box.path(name));
    const ctrlC = (file = '') => ({ file, send: '\u0003' });
    const steps = times > 1 ? [ctrlC(first), ctrlC(second)] : [ctrlC(first)];
    const ended = vault.box.terminal([...put, `${vault.address}/bar`], steps, { env });
    await until('a part is on its way', () => proxy.requests.some((line) => line.includes('partNumber=')));
    vault.box.write(`first-${times}`, '');
    await until('the abort is on its way', () => proxy.requests.some((line) => line.startsWith('DELETE')));
    vault.box.write('second', '');
    const { code, screen } = await ended;
    expect(code).toBe(130);
    expect(screen.lastIndexOf(CURSOR_BACK)).toBeGreaterThan(screen.lastIndexOf(`${ESCAPE}[?25l`));
  });
});

/** What could move a cursor, colour or reorder a line, or hide in it. A line feed is allowed at the end of a line. */
const DANGEROUS =
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028\u2029\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\u{e0000}-\u{e007f}]/u;
const NASTY = `a${ESCAPE}[2J\u009b31m\u202egnp.\u2066\u061c\r\u0007\b\u2028b\u200b\u{e0041}c`;

/** For every line of a hostile text to be one line of output. */
function expectHarmless({ stdout, stderr }: Result): void {
  for (const text of [stdout.toString(), stderr]) {
    expect(JSON.stringify(DANGEROUS.exec(text)?.[0] ?? '')).toBe('""');
    for (const line of text.split('\n')) expect(line).not.toMatch(/^FAKE/);
  }
}

describe.each(['s3', 'directory'] as const)('what a hostile store on %s has', (kind) => {
  const key = `${NASTY}\nFAKE: all is well`;
  let vault: TestVault;
  let message: Buffer;

  beforeAll(async () => {
    vault = await newVault(kind, server);
    const hostile = (recipients: { publicKey: string }, pairs: [string, string][]) =>
      craft({
        pairs,
        recipients: [{ namespace: `space${NASTY}\nFAKE`, name: `name${NASTY}\nFAKE`, ...recipients }],
        frameLength: 1024,
        body: (writer) => writer.final(1, Buffer.from('plain')),
      });
    message = hostile(PAIR, [
      [`ctx${NASTY}\nFAKE`, `value${NASTY}\nFAKE`],
      ['sealdrop:key', `made${NASTY}\nFAKE`],
    ]);
    await vault.plant(key, message);
    await vault.plant('to-other', hostile(OTHER, [['sealdrop:key', 'to-other']]));
    await vault.plant('context', message);
  });

  test.each([
    ['ls', ['ls', '']],
    ['inspect', ['inspect', key]],
    ['inspect of the context', ['inspect', 'context']],
    ['verify', ['verify', key]],
    ['get', ['get', key, 'out', ...PRIVATE]],
    ['get with --moved', ['get', key, 'out', '--moved', ...PRIVATE]],
    ['cat with --moved', ['cat', 'context', '--moved', ...PRIVATE]],
    ['cat', ['cat', 'context', ...PRIVATE]],
    ['cat of what was encrypted to a key with such a name', ['cat', 'to-other', ...PRIVATE]],
    ['put without overwriting', ['put', 'public_key.pem', key, '--no-overwrite', ...PUBLIC]],
    ['an object that isn’t there', ['get', `${key}none`, 'out', ...PRIVATE]],
  ])('is escaped by %s, with --json too', async (_what, [command, ...rest]) => {
    const at = command === 'put' ? 1 : 0;
    const args = rest.map((word, i) => (i === at ? `${vault.address}/${word}` : word));
    for (const more of [[], ['--json']]) {
      const result = await vault.box.run([command!, ...args, ...more]);
      expectHarmless(result);
      expect(result.stderr + result.stdout.toString()).not.toBe('');
    }
  });

  test('is in --json as it is, for programs', async () => {
    const listed = documents(await vault.box.run(['ls', vault.address, '--json']));
    expect(listed.map((object) => object.key)).toContain(key);
    const [inspected] = documents(await vault.box.run(['inspect', `${vault.address}/context`, '--json']));
    expect(inspected!.context).toMatchObject({ [`ctx${NASTY}\nFAKE`]: `value${NASTY}\nFAKE` });
    expect(inspected!.wrappedKeys).toMatchObject([{ name: `name${NASTY}\nFAKE` }]);
  });

  test('is escaped at a terminal, in the progress bar too', async () => {
    const { screen } = await vault.box.terminal(['verify', `${vault.address}/${key}`]);
    // The bar's own: cursor, column, clearing.
    const rest = screen
      .replace(/\u001b\[(\?25[hl]|\?7[hl]|\d*G|\d*K|\d*J|0m)|\u001b[78]/g, '')
      .replaceAll('\r\n', '\n');
    expect(JSON.stringify(DANGEROUS.exec(rest)?.[0] ?? '')).toBe('""');
  });
});

test('arguments are escaped where they are repeated', async () => {
  const { box } = await newVault('directory', server);
  for (const args of [
    [NASTY],
    ['put', `--${NASTY}`],
    ['ls', `${NASTY}://x`],
    ['ls', `http://${NASTY}`],
    ['put', NASTY, 's3://bucket/', ...PUBLIC],
    ['put', 'x', 's3://bucket/', '--public-key', NASTY],
    ['put', 'x', 's3://bucket/', '--suite', NASTY],
    ['put', 'public_key.pem', `file://${box.path(NASTY)}/x`, ...PUBLIC],
    ['keygen', `${NASTY}/no`],
  ]) {
    const result = await box.run([...args, '--json']);
    expectHarmless(result);
    expect(result.stderr).not.toContain('fault of sealdrop');
  }
});

test('an error that nobody foresaw is one line, and shows a stack only with SEALDROP_DEBUG', async () => {
  const { box } = await newVault('directory', server);
  const cat = (env: Record<string, string>) => box.run(['cat', 'missing', ...PRIVATE], { env });
  expect((await cat({})).stderr).not.toMatch(/^ +at /m);
  expect((await cat({ SEALDROP_DEBUG: '1' })).stderr).toMatch(/^ +at /m);
});
