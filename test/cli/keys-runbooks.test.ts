/** The runbooks of docs/keys.md, typed as they stand there: what they promise is so when their last line has run. */
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { GetObjectCommand, ListObjectVersionsCommand, PutBucketVersioningCommand } from '@aws-sdk/client-s3';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Box, documents, secret } from '../helpers/cli.js';
import { environmentFor } from '../helpers/cli-vault.js';
import { SETUP_TIME, startMinio, startMinistack, type S3Server } from '../helpers/servers.js';

const PASSPHRASE = secret('the passphrase', 'correct horse battery staple');
const guide = readFileSync('docs/keys.md', 'utf8');
const today = new Date().toISOString().slice(0, 10);

/** The commands of a section, but for those of its subsections, and of what it says of other keys. */
function commandsOf(title: string): string[] {
  const [, section] = new RegExp(`^#+ ${title}\\n([^]*?)^#`, 'm').exec(guide)!;
  const [steps] = section!.split('\nIf it was ');
  return [...steps!.matchAll(/^ *\$ (sealdrop .*)$/gm)].map(([, command]) => command!);
}

let minio: S3Server;
let ministack: S3Server;
let box: Box;
let Bucket: string;
beforeAll(async () => {
  minio = await startMinio();
  ministack = await startMinistack();
}, SETUP_TIME);
afterAll(async () => {
  await minio?.stop();
  await ministack?.stop();
});

/** Exit code 0 of each. Passphrases are typed there: here a file has them. */
async function type(commands: readonly string[]): Promise<string> {
  expect(commands).not.toEqual([]);
  let said = '';
  for (const command of commands) {
    const locked = /recovery\.json|--passphrase/.test(command);
    const env: Record<string, string> = locked ? { SEALDROP_PASSPHRASE_FILE: 'phrase' } : {};
    const { code, stdout, stderr } = await box.shell(command, { env });
    expect({ command, code, stderr }).toMatchObject({ code: 0 });
    said += stdout.toString() + stderr;
  }
  return said;
}

const put = (name: string) => type([`sealdrop put a.txt lab:some/${name} --public-key public.json`]);
const wrappedTo = async (name: string) => {
  const [found] = documents(await box.run(['inspect', `lab:some/${name}`, '--json']));
  return (found!.wrappedKeys as { name: string }[]).map((key) => key.name);
};

beforeEach(async () => {
  Bucket = await minio.createBucket(`runbooks-${randomUUID()}`);
  const VersioningConfiguration = { Status: 'Enabled' as const };
  await minio.client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
  const config = { SEALDROP_CONFIG: 'config.json', AWS_ENDPOINT_URL: ministack.endpoint };
  box = new Box({ ...environmentFor(minio), ...config });
  box.write('config.json', JSON.stringify({ vaults: { lab: { address: `s3://${Bucket}/` } } }));
  box.write('a.txt', 'twenty-five bytes of text');
  box.write('phrase', `${PASSPHRASE}\n`);
  await type(commandsOf('Begin, with a recovery key'));
  await type(named(commandsOf('Publish')));
  for (const object of ['object', 'other', 'third']) await put(object);
}, 120_000);

/** Secrets of several tests are told apart. */
const named = (commands: readonly string[]) =>
  commands.map((command) => command.replace('sealdrop/prod/', `sealdrop/${Bucket}/`));

test('the drill opens an object with the recovery key alone', async () => {
  await box.shell('mkdir elsewhere && mv recovery.json phrase elsewhere');
  box.write('elsewhere/config.json', box.read('config.json'));
  await type(commandsOf('Recovery drill').map((command) => `cd elsewhere && ${command}`));
  expect(box.read('elsewhere/back.txt').toString()).toBe('twenty-five bytes of text');
}, 60_000);

test('a rotation: what comes after it is for the new key, and what was before opens', async () => {
  await type(named(commandsOf('Rotation')));
  await put('after');
  expect(await wrappedTo('after')).toEqual(expect.arrayContaining([`S3RSAKey-${today}`, 'recovery']));
  expect(await wrappedTo('after')).toHaveLength(2);
  for (const name of ['object', 'after'])
    await type([`sealdrop get lab:some/${name} - --private-key keys.json`]);
}, 120_000);

test('a key that got out: no object and no older version opens with it, and all do without it', async () => {
  const stolen = box.read('keys.json');
  const said = await type(named(commandsOf('A key got out')));
  expect(said).toMatch(/^3 files rewrapped \(75 B.*\n3 older versions removed\n/m);
  await put('after');
  box.write('stolen.json', stolen);
  const { Versions = [] } = await minio.client.send(new ListObjectVersionsCommand({ Bucket }));
  expect(Versions.map(({ Key }) => Key)).toEqual(
    ['after', 'object', 'other', 'third'].map((n) => `some/${n}`),
  );
  for (const { Key, VersionId } of Versions) {
    const { Body } = await minio.client.send(new GetObjectCommand({ Bucket, Key, VersionId }));
    box.write('version', await Body!.transformToByteArray());
    expect((await box.shell('sealdrop get - - --private-key stolen.json < version')).code).toBe(5);
    await type(['sealdrop get - - --private-key keys.json < version']);
  }
}, 120_000);
