/**
 * An object for a key in a file, an offline recovery key and a key of AWS KMS: when one is removed by `rewrap`, that one
 * opens it no more and the others do, here and in Python.
 */
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Box, documents } from '../helpers/cli.js';
import { privatePem, publicPem, rsaPair } from '../helpers/keys.js';
import { PYTHON_SETUP_TIME, PythonBatch, type AnyPythonKey } from '../helpers/python.js';
import { awsEnvironment, isWanted, SETUP_TIME, startMinistack, type S3Server } from '../helpers/servers.js';

const file = { namespace: 'MyAppKeys', name: 'S3RSAKey', pair: rsaPair() };
const recovery = { namespace: 'MyAppKeys', name: 'recovery', pair: rsaPair(3072) };
const NAMES = ['file', 'recovery', 'kms'] as const;
type Name = (typeof NAMES)[number];
const policy = 'REQUIRE_ENCRYPT_REQUIRE_DECRYPT';

const set = (...keys: object[]) => JSON.stringify({ version: 1, keys });
const half = ({ pair, ...names }: typeof file) => ({ ...names, publicKey: publicPem(pair) });

const wanted = isWanted('ministack') ? describe : describe.skip;

wanted('of three recipients one is removed', () => {
  const batch = new PythonBatch(4);
  const tickets = new Map<string, number>();
  const outcomes: Record<string, unknown> = {};
  let server: S3Server;
  let box: Box;
  let arn: string;
  const python = (): Record<Name, AnyPythonKey> => ({ file, recovery, kms: { kms: arn } });
  const opensWith = (name: Name) => (name === 'kms' ? `kms:${arn}` : `${name}.private.key`);
  const isFor = (name: Name) => (name === 'kms' ? `kms:${arn}` : `${name}.json`);

  beforeAll(async () => {
    server = await startMinistack();
    const { endpoint, region, credentials } = server;
    const kms = new KMSClient({ endpoint, region, credentials });
    arn = (await kms.send(new CreateKeyCommand({}))).KeyMetadata!.Arn!;
    kms.destroy();
    box = new Box(awsEnvironment(server));
    box.write('vault/.sealdrop-vault', '{"version":1,"binding":"required"}\n');
    box.write('plain.txt', 'for three');
    for (const [name, key] of Object.entries({ file, recovery })) {
      box.write(`${name}.json`, set(half(key)));
      box.write(`${name}.private.key`, set({ ...half(key), privateKey: privatePem(key.pair) }));
    }
    for (const removed of NAMES) {
      const address = `file://${box.path('vault')}/${removed}`;
      const all = NAMES.flatMap((name) => ['--public-key', isFor(name)]);
      const put = await box.run(['put', 'plain.txt', address, ...all]);
      expect([put.code, put.stderr]).toEqual([0, expect.anything()]);
      const opener = NAMES.find((name) => name !== removed)!;
      const rewrap = await box.run([
        ...['rewrap', address, '--to', isFor(removed), '--remove', ...all, '--json'],
        ...['--private-key', opensWith(opener)],
      ]);
      expect([rewrap.code, rewrap.stderr]).toEqual([0, expect.anything()]);
      outcomes[removed] = documents(rewrap)[0];
      for (const name of NAMES) {
        const { code } = await box.run(['verify', address, '--private-key', opensWith(name)]);
        outcomes[`${removed} ${name}`] = code;
        const ticket = batch.add(
          { op: 'decrypt', policy, keys: [python()[name]] },
          box.read(`vault/${removed}`),
        );
        tickets.set(`${removed} ${name}`, ticket);
      }
    }
    await batch.run({ ...awsEnvironment(server), AWS_DEFAULT_REGION: region });
  }, SETUP_TIME + PYTHON_SETUP_TIME);
  afterAll(() => server?.stop());

  test.each(NAMES)('%s: it opens no more, and the others do', (removed) => {
    expect(outcomes[removed]).toMatchObject({ outcome: 'done', verified: 'opened' });
    for (const name of NAMES) {
      const ours = outcomes[`${removed} ${name}`];
      const theirs = batch.result(tickets.get(`${removed} ${name}`)!);
      expect([name, ours === 0, theirs.ok]).toEqual([name, name !== removed, name !== removed]);
      if (theirs.ok) expect(theirs.output.toString()).toBe('for three');
    }
  });
});
