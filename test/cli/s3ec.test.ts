/** Objects of the S3 Encryption Client by the command: what is said, what comes out, and with which exit code. */
import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { documents, secret, until, type Box } from '../helpers/cli.js';
import { newVault, OTHER, PAIR, type TestVault, type VaultKind } from '../helpers/cli-vault.js';
import { keyArn, startFakeKms } from '../helpers/fake-kms.js';
import { SETUP_TIME, startMinio, type S3Server } from '../helpers/servers.js';

const ALLOW = '--commitment-policy REQUIRE_ENCRYPT_ALLOW_DECRYPT';
const UNBOUND = '(unbound: objects of the S3 Encryption Client name no key)';
const NOT_COMMITTING = [
  'error: the object does not commit to its data key (format V2)',
  `hint: the store could have stripped that off; if you trust it: ${ALLOW}, or the vault's setting commitmentPolicy`,
];
const ALTERED = `error: the content was altered, or belongs to another key
hint: nothing of it is to be trusted: take an older version or a copy
`;
const AES = randomBytes(32);

let minio: S3Server;
beforeAll(async () => (minio = await startMinio()), SETUP_TIME);
afterAll(async () => minio?.stop());

interface Stored {
  readonly metadata: Record<string, string>;
  readonly body: Buffer;
}

/** The store's own side, metadata included. */
function storeSide(kind: VaultKind, { box, address }: TestVault) {
  if (kind === 's3') {
    const Bucket = address.slice('s3://'.length);
    return {
      async read(Key: string): Promise<Stored> {
        const { Body, Metadata = {} } = await minio.client.send(new GetObjectCommand({ Bucket, Key }));
        return { metadata: Metadata, body: Buffer.from(await Body!.transformToByteArray()) };
      },
      async write(Key: string, { metadata: Metadata, body: Body }: Stored) {
        await minio.client.send(new PutObjectCommand({ Bucket, Key, Metadata, Body }));
      },
    };
  }
  const meta = (key: string) =>
    box.path(`vault/.sealdrop-meta/${createHash('sha256').update(key).digest('hex')}.json`);
  return {
    async read(key: string): Promise<Stored> {
      const { metadata } = JSON.parse(readFileSync(meta(key), 'utf8')) as Stored;
      return { metadata, body: box.read(`vault/${key}`) };
    },
    async write(key: string, { metadata, body }: Stored) {
      const { mtimeNs } = statSync(box.write(`vault/${key}`, body), { bigint: true });
      writeFileSync(meta(key), JSON.stringify({ key, size: body.length, mtimeNs: `${mtimeNs}`, metadata }));
    },
  };
}

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at]! ^= 1;
  return copy;
}

/** As old clients wrote: AES/CBC, and the data key in a wrapping that says nothing of it. */
function legacyObject(plaintext: Buffer): Stored {
  const [dataKey, iv] = [randomBytes(32), randomBytes(16)];
  const wrap = createCipheriv('id-aes256-wrap', AES, Buffer.alloc(8, 0xa6));
  const cipher = createCipheriv('aes-256-cbc', dataKey, iv);
  const metadata = {
    'x-amz-key-v2': Buffer.concat([wrap.update(dataKey), wrap.final()]).toString('base64'),
    'x-amz-iv': iv.toString('base64'),
    'x-amz-cek-alg': 'AES/CBC/PKCS5Padding',
    'x-amz-wrap-alg': 'AESWrap',
    'x-amz-matdesc': '{}',
  };
  return { metadata, body: Buffer.concat([cipher.update(plaintext), cipher.final()]) };
}

async function mixedVault(kind: VaultKind): Promise<TestVault> {
  const vault = await newVault(kind, minio);
  const { box } = vault;
  Object.assign(box.env, {
    SEALDROP_PUBLIC_KEY: 'public_key.pem',
    SEALDROP_PRIVATE_KEY: 'private_key.pem',
  });
  box.write('notes.txt', 'hello\n');
  if (kind === 'directory') box.write('vault/.sealdrop-vault', '{"version":1,"binding":"allow"}\n');
  const entry = { namespace: 'lab', name: 'shared', secretKey: secret('AES', AES.toString('base64')) };
  box.write('aes.json', JSON.stringify({ version: 1, keys: [entry] }));
  return vault;
}

describe.each<VaultKind>(['s3', 'directory'])('in a vault of kind %s', (kind) => {
  let vault: TestVault;
  let box: Box;
  let side: ReturnType<typeof storeSide>;
  beforeEach(async () => {
    vault = await mixedVault(kind);
    box = vault.box;
    side = storeSide(kind, vault);
  });
  const checksum =
    kind === 's3'
      ? 'passed  checksum   md5 {digest}'
      : 'absent  checksum   the store keeps none that can be checked';
  const masked = "2>&1 | sed -E 's/[0-9a-f]{32}/{digest}/'";

  test('an object goes in, is looked at, comes out, and goes', async () => {
    await box.transcript(`
      $ sealdrop put notes.txt {vault}/a --format s3ec
      ! notes.txt -> {vault}/a (6 B)
      $ sealdrop ls {vault}/
      > {time}             22 a
      $ sealdrop inspect {vault}/a
      > {vault}/a
      >   format        s3ec (S3 Encryption Client object, version 3)
      >   origin        sealdrop
      >   suite         0x0073 ALG_AES_256_GCM_HKDF_SHA512_COMMIT_KEY
      >   committing    yes
      >   signed        no
      >   wrapped by    RSA-OAEP-SHA1, in the object's metadata
      >   fingerprint   {fingerprint} (the metadata says so)
      >   stored        22 bytes, {time}
      >   plaintext     6 bytes
      $ env -u SEALDROP_PRIVATE_KEY sealdrop verify {vault}/a ${masked}
      > {vault}/a (22 B stored)
      >   passed  framing    its header is complete; whether its content is, the key alone tells
      >   passed  size       6 plaintext bytes, the metadata says 6
      >   ${checksum}
      > checked without the private key: this finds accidents and proves no integrity
      $ sealdrop verify {vault}/a ${masked}
      > {vault}/a (22 B stored)
      >   passed  integrity  all of 6 plaintext bytes authenticated
      >   ${checksum}
      $ sealdrop get {vault}/a back
      ! {vault}/a -> back (6 B) ${UNBOUND}
      $ cmp notes.txt back
      $ sealdrop cat {vault}/a
      > hello
      ! {vault}/a ${UNBOUND}
      $ SEALDROP_PRIVATE_KEY=other_private.pem sealdrop cat {vault}/a
      ! error: no key that was named opens the object’s data key, or what the object says of it was altered
      ! hint: it is wrapped by RSA-OAEP-SHA1: name its RSA private key
      [5]
      $ sealdrop rm {vault}/a
      ! removed {vault}/a`);
    expect(await vault.keys()).toEqual([]);
  });

  test('V2 is read where the policy allows it, and the refusal says how', async () => {
    const refused = NOT_COMMITTING.map((line) => `      ! ${line}`).join('\n');
    await box.transcript(`
      $ sealdrop put notes.txt {vault}/b --format s3ec-v2
      ! notes.txt -> {vault}/b (6 B)
      $ sealdrop cat {vault}/b\n${refused}
      [5]
      $ sealdrop cat {vault}/b ${ALLOW}
      > hello
      ! {vault}/b ${UNBOUND}
      $ SEALDROP_COMMITMENT_POLICY=REQUIRE_ENCRYPT_ALLOW_DECRYPT sealdrop verify {vault}/b -q
      $ sealdrop inspect {vault}/b | grep -E 'format|committing|suite'
      >   format        s3ec (S3 Encryption Client object, version 2)
      >   suite         0x0072 ALG_AES_256_GCM_IV12_TAG16_NO_KDF
      >   committing    no
      $ sealdrop put notes.txt {vault}/b --format s3ec-v2 ${ALLOW}
      ! error: the commitment policy REQUIRE_ENCRYPT_ALLOW_DECRYPT requires key commitment, and V2 has none
      ! hint: --format s3ec, or --commitment-policy FORBID_ENCRYPT_ALLOW_DECRYPT
      [2]
      $ sealdrop put notes.txt {vault}/b --format s3ec --commitment-policy FORBID_ENCRYPT_ALLOW_DECRYPT
      ! error: the commitment policy FORBID_ENCRYPT_ALLOW_DECRYPT forbids key commitment, and V3 has it
      ! hint: --format s3ec-v2, or --commitment-policy REQUIRE_ENCRYPT_REQUIRE_DECRYPT
      [2]
      # what is said of it depends on the first byte of the ciphertext
      $ sealdrop cat {vault}/b --format esdk 2> /dev/null
      [5]`);
  });

  test('with its key in an instruction file', async () => {
    await box.transcript(`
      $ sealdrop put notes.txt {vault}/i --format s3ec --instruction-file --context project=x
      ! notes.txt -> {vault}/i (6 B)
      $ sealdrop inspect {vault}/i | grep -E 'wrapped|description'
      >   wrapped by    RSA-OAEP-SHA1, in the instruction file
      >   description   project = x
      # it lies with the wrapped key
      $ sealdrop inspect {vault}/i | grep -c fingerprint
      > 1
      $ sealdrop cat {vault}/i
      > hello
      ! {vault}/i ${UNBOUND}
      # nothing authenticates it, so nothing is concluded from it
      $ sealdrop cat {vault}/i --context project=x
      ! error: the message's context does not have project=x
      ! hint: its material description has it, which nothing authenticates: only a KMS key makes a context of it
      [5]
      $ sealdrop cat {vault}/i.instruction
      ! error: this is not an encrypted message: it does not begin like one
      ! hint: it may be an instruction file, with the wrapped key of i: name that
      [5]`);
    expect(await vault.keys()).toEqual(['i', 'i.instruction']);
    expect(Object.keys(JSON.parse((await vault.stored('i.instruction')).toString()) as object)).toContain(
      'x-amz-3',
    );
    await box.transcript(`
      $ sealdrop rm {vault}/i.instruction
      ! error: {vault}/i.instruction is the instruction file of {vault}/i, which opens no more without it
      ! hint: remove that object: its instruction file goes with it
      [2]
      $ sealdrop put notes.txt {vault}/i --format s3ec-v2 --instruction-file -q
      $ sealdrop cat {vault}/i -q ${ALLOW}
      > hello
      $ sealdrop rm {vault}/i
      ! removed {vault}/i`);
    expect(await vault.keys()).toEqual([]);
  });

  test('a user’s own object called KEY.instruction is left alone', async () => {
    await vault.plant('u.instruction', Buffer.from('{"mine":true}'));
    await box.transcript(`
      $ sealdrop put notes.txt {vault}/u --format s3ec --instruction-file
      ! error: {vault}/u.instruction is there, and is no instruction file
      ! hint: it would be lost: name another key, or leave --instruction-file out
      [1]
      $ sealdrop put notes.txt {vault}/u --format s3ec -q
      $ sealdrop cat {vault}/u -q
      > hello
      $ sealdrop rm {vault}/u -q
      $ sealdrop put notes.txt {vault}/u.instruction -q
      $ sealdrop cat {vault}/u.instruction -q
      > hello`);
    expect(await vault.keys()).toEqual(['u.instruction']);
  });

  test('a vault that mixes formats: listed, taken out, verified, synced, removed', async () => {
    box.write('tree/sub/two', 'two');
    await box.transcript(`
      $ sealdrop put notes.txt {vault}/m/esdk -q
      $ sealdrop put notes.txt {vault}/m/v3 --format s3ec -q
      $ sealdrop put notes.txt {vault}/m/v2 --format s3ec-v2 -q
      $ sealdrop put -r tree/ {vault}/m --format s3ec --instruction-file
      ! 1 file stored (3 B)
      $ sealdrop ls {vault}/m/ | cut -c36-
      > m/esdk
      > m/sub/two
      > m/sub/two.instruction
      > m/v2
      > m/v3
      $ sealdrop get -r {vault}/m out 2>&1 | grep -v hint
      > error: v2: the object does not commit to its data key (format V2)
      > 3 files written (15 B), 1 failed, 1 instruction file left out, 2 of them name no key, so the store could have put others in their place
      $ sealdrop get -r {vault}/m out ${ALLOW}
      ! 4 files written (21 B), 1 instruction file left out, 3 of them name no key, so the store could have put others in their place
      $ sealdrop get -r {vault}/m out ${ALLOW} --resume
      ! 4 there already, 1 instruction file left out
      $ sealdrop verify {vault}/m/esdk {vault}/m/v3 {vault}/m/v2 {vault}/m/sub/two ${ALLOW} -q
      $ sealdrop sync {vault}/m/ down ${ALLOW} --no-index
      ! 4 written (21 B), 0 unchanged
      $ diff -r out down
      $ sealdrop cp {vault}/m/v3 {vault}/n
      ! error: {vault}/m/v3 is an object of the S3 Encryption Client, which is bound to no key
      ! hint: every S3 tool copies it as it is, with its instruction file where it has one; or take it out and store it again: sealdrop get, sealdrop put
      [2]
      $ sealdrop mv {vault}/m/v3 {vault}/n 2>&1 | head -1
      > error: {vault}/m/v3 is an object of the S3 Encryption Client, which is bound to no key
      $ sealdrop cp -r {vault}/m/sub {vault}/n 2>&1 | tail -1
      > 1 failed, 1 instruction file left out
      $ sealdrop rm -r {vault}/m --include '*two' --dry-run
      ! would be removed: {vault}/m/sub/two
      ! would be removed: {vault}/m/sub/two.instruction
      ! 2 files would be removed (392 B)
      $ sealdrop rm -r {vault}/m --include '*two' --yes
      ! 2 files removed (392 B)`);
    expect(await vault.keys()).toEqual(['m/esdk', 'm/v2', 'm/v3']);
    expect(box.files('out')).toEqual(['esdk', 'sub/two', 'v2', 'v3']);
  });

  test('sync up writes, replaces and removes instruction files with their objects', async () => {
    box.write('tree/a', 'one');
    box.write('tree/sub/b', 'two');
    const up = 'sealdrop sync tree {vault}/s/ --format s3ec --instruction-file --no-index';
    await box.transcript(`
      $ ${up}
      ! 2 stored (6 B), 0 unchanged
      $ printf longer > tree/a && ${up}
      ! 1 stored (6 B), 1 unchanged
      $ rm tree/sub/b && ${up} --delete --max-delete 50%
      ! removed: sub/b
      ! 0 stored (0 B), 1 unchanged, 1 removed
      $ sealdrop cat {vault}/s/a -q
      > longer`);
    expect(await vault.keys()).toEqual(['s/a', 's/a.instruction']);
  });

  test.each([
    ['flipped', (body: Buffer) => flipped(body, 0)],
    ['with a flipped tag', (body: Buffer) => flipped(body, body.length - 1)],
    ['cut', (body: Buffer) => body.subarray(0, -20)],
  ])('an object that was %s gives out nothing, or says so at the end', async (_how, change) => {
    const bytes = randomBytes(300_000);
    box.write('data', bytes);
    await box.run(['put', 'data', `${vault.address}/x`, '--format', 's3ec']);
    const { metadata, body } = await side.read('x');
    await side.write('x', { metadata, body: change(body) });
    const before = box.files();
    const cat = await box.run(['cat', `${vault.address}/x`]);
    expect({ code: cat.code, bytes: cat.stdout.length, stderr: cat.stderr }).toEqual({
      ...{ code: 5, bytes: 0, stderr: ALTERED },
    });
    const get = await box.run(['get', `${vault.address}/x`, 'out']);
    expect({ code: get.code, stderr: get.stderr }).toEqual({ code: 5, stderr: ALTERED });
    expect(box.files()).toEqual(before);
    const unverified = await box.run(['cat', `${vault.address}/x`, '--release-unverified']);
    expect({ code: unverified.code, stderr: unverified.stderr }).toEqual({ code: 5, stderr: ALTERED });
    expect(unverified.stdout.length).toBeGreaterThan(250_000);
    const verified = await box.run(['verify', `${vault.address}/x`]);
    expect(verified).toMatchObject({ code: 5, stderr: expect.stringContaining('failed  integrity') });
  });

  test('an object that lost its metadata is refused, also where it was V3 and says to be V2', async () => {
    await box.run(['put', 'notes.txt', `${vault.address}/x`, '--format', 's3ec']);
    const { metadata, body } = await side.read('x');
    // Its first byte is random: this one is the version of no message.
    const unmarked = Buffer.concat([Buffer.from('h'), body.subarray(1)]);
    await side.write('x', { metadata: {}, body: unmarked });
    const stripped = await box.run(['cat', `${vault.address}/x`]);
    expect(stripped).toMatchObject({
      code: 5,
      stderr: expect.stringMatching(
        /^error: this is not an encrypted message.*\nhint: .*their metadata.*\n$/,
      ),
    });
    const { 'x-amz-3': wrapped, ...rest } = metadata;
    const downgraded = Object.entries(rest).filter(([name]) => !name.startsWith('x-amz-'));
    const v2 = { 'x-amz-key-v2': wrapped!, 'x-amz-iv': Buffer.alloc(12, 1).toString('base64') };
    const names = {
      'x-amz-cek-alg': 'AES/GCM/NoPadding',
      'x-amz-wrap-alg': 'RSA-OAEP-SHA1',
      'x-amz-tag-len': '128',
    };
    const claimed = { ...Object.fromEntries(downgraded), ...v2, ...names, 'x-amz-matdesc': '{}' };
    await side.write('x', { metadata: claimed, body });
    const refused = await box.run(['cat', `${vault.address}/x`]);
    expect(refused).toMatchObject({ code: 5, stderr: `${NOT_COMMITTING.join('\n')}\n` });
    expect((await box.run(['cat', `${vault.address}/x`, ...ALLOW.split(' ')])).stderr).toMatch(
      /^error: no key that was named opens/,
    );
  });

  test('parts come only with --release-unverified, and say that nothing authenticates them', async () => {
    const wrong = 'error: there is no such range: the content has 6 bytes';
    const counted = 'hint: bytes are counted from 0, and first and last are both included';
    await box.transcript(`
      $ sealdrop put notes.txt {vault}/r --format s3ec -q
      $ sealdrop put notes.txt {vault}/e -q
      $ sealdrop cat {vault}/r --range 1-3
      ! error: nothing authenticates a part of this object: its tag is over the whole
      ! hint: if that will do: --range with --release-unverified; else cat or get the whole object
      [2]
      $ sealdrop cat {vault}/r --range 1-3 --release-unverified && echo
      > ell
      ! {vault}/r (nothing authenticates this content)
      $ sealdrop cat {vault}/r --range 4- --release-unverified -q
      > o
      $ sealdrop cat {vault}/r --range -3 --release-unverified --json 2>&1 >/dev/null | grep -o '"unauthenticated":true'
      > "unauthenticated":true
      $ sealdrop cat {vault}/r --range 6-7 --release-unverified
      ! ${wrong}
      ! ${counted}
      [2]
      $ sealdrop cat {vault}/r --range 3-1 --release-unverified
      ! ${wrong}
      ! ${counted}
      [2]
      $ sealdrop cat {vault}/r --range abc --release-unverified
      ! error: option '--range <first-last>' argument 'abc' is invalid. It must be as 0-99, 100- or -50: first and last byte, both included.
      ! hint: see: sealdrop cat --help
      [2]
      $ sealdrop cat - --range 1-2 --release-unverified < notes.txt
      ! error: a range is read of an object, and standard input is none
      [2]
      $ sealdrop get {vault}/r part.txt --range 1-3
      ! error: nothing authenticates a part of this object: its tag is over the whole
      ! hint: if that will do: --range with --release-unverified; else cat or get the whole object
      [2]
      $ sealdrop get {vault}/r part.txt --range 1-3 --release-unverified && cat part.txt && echo
      > ell
      ! {vault}/r -> part.txt (3 B, bytes 1 to 3) (nothing authenticates this content)
      # Of a message each part is authenticated, whatever is allowed.
      $ sealdrop cat {vault}/e --range 1-2 --release-unverified && echo
      > el
      $ sealdrop cat {vault}/e --range 1-2 --format s3ec --release-unverified
      ! error: this is no object of the S3 Encryption Client
      ! hint: neither its metadata nor a KEY.instruction beside it say how it is encrypted: is this the right object?
      [5]`);
  });

  test('what nothing authenticates is read with --allow-legacy alone, and named', async () => {
    const legacy = legacyObject(Buffer.from('old\n'));
    await box.run(['put', 'notes.txt', `${vault.address}/old`]);
    await side.write('old', legacy);
    box.env.SEALDROP_KEY_SET = 'aes.json';
    await box.transcript(`
      $ sealdrop cat {vault}/old
      ! error: the object does not commit to its data key (format V2)
      ! hint: the store could have stripped that off; if you trust it: ${ALLOW} with --allow-legacy, or the vault's settings commitmentPolicy and allowLegacy
      [5]
      $ sealdrop cat {vault}/old --allow-legacy 2>&1 | head -1
      > error: the object does not commit to its data key (format V2)
      $ sealdrop cat {vault}/old ${ALLOW}
      ! error: the object's content is unauthenticated (AES/CBC/PKCS5Padding)
      ! hint: whoever runs the store can have changed it unseen; if you trust them: --allow-legacy
      [5]
      $ sealdrop cat {vault}/old ${ALLOW} --allow-legacy
      > old
      ! {vault}/old (nothing authenticates this content)
      $ sealdrop verify {vault}/old ${ALLOW} --allow-legacy 2>&1 | head -2
      > {vault}/old (16 B stored)
      >   absent  integrity  nothing authenticates its content
      $ sealdrop inspect {vault}/old | grep -E 'format|plaintext'
      >   format        s3ec (S3 Encryption Client object, version 2)
      >   plaintext     at most 15 bytes`);
  });
});

describe('refused before anything is stored', () => {
  let vault: TestVault;
  beforeAll(async () => {
    vault = await mixedVault('directory');
    const { box } = vault;
    box.write('tree/a', 'one');
    const team = { namespace: 'lab', name: 'team', publicKey: PAIR.publicKey };
    const recovery = { namespace: 'lab', name: 'recovery', publicKey: OTHER.publicKey, always: true };
    box.write('set.json', JSON.stringify({ version: 1, keys: [team, recovery] }));
    // A vault that asks objects to name their keys.
    box.write('bound/.sealdrop-vault', '{"version":1,"binding":"required"}\n');
    box.names.bound = `file://${box.path('bound')}`;
  });
  afterAll(async () => {
    expect(await vault.keys()).toEqual([]);
    expect(vault.box.files('bound')).toEqual(['.sealdrop-vault']);
  });

  const severalKeys = `
      ! error: an object of the S3 Encryption Client goes to one key, these are 2
      ! hint: leave one, those that the key set always adds counted too; or write for all of them: --format esdk
      [2]`;
  const unbound = (version: string) => `
      ! error: {bound}/ takes only objects that name their keys, and those of ${version} name none
      ! hint: store them with --format esdk, or let the vault take others: "binding": "allow" in its configuration, and in the file .sealdrop-vault of a directory (docs/formats.md)
      [2]`;

  test('several recipients, those that a key set always adds counted', () =>
    vault.box.transcript(`
      $ sealdrop put notes.txt {vault}/x --format s3ec --public-key other_public.pem --public-key public_key.pem${severalKeys}
      $ sealdrop put notes.txt {vault}/x --format s3ec --key-set set.json${severalKeys}
      $ env -u SEALDROP_PUBLIC_KEY sealdrop put notes.txt {vault}/x --format s3ec-v2 --key-set set.json${severalKeys}
      $ sealdrop put -r tree {vault}/x --format s3ec --key-set set.json${severalKeys}
      $ sealdrop sync tree {vault}/x --format s3ec --key-set set.json${severalKeys}`));

  test('a vault whose objects name their keys', () =>
    vault.box.transcript(`
      $ sealdrop put notes.txt {bound}/x --format s3ec${unbound('s3ec')}
      $ sealdrop put -r tree {bound}/x --format s3ec-v2${unbound('s3ec-v2')}
      $ sealdrop sync tree {bound}/ --format s3ec --no-index${unbound('s3ec')}`));

  test('what the format has no place for', () => {
    const esdk = (option: string) => `
      ! error: ${option} is for --format esdk: an s3ec object has no place for it
      ! hint: leave ${option} out, or store with --format esdk
      [2]`;
    const ofEsdk = `
      ! error: suites, signatures and frames are those of --format esdk
      ! hint: leave --suite, --sign and --frame-length out with --format s3ec
      [2]`;
    return vault.box.transcript(`
      $ sealdrop put notes.txt {vault}/x --format s3ec --preserve${esdk('--preserve')}
      $ sealdrop put -r tree {vault}/x --format s3ec --empty-directories${esdk('--empty-directories')}
      $ sealdrop put notes.txt {vault}/x --format s3ec --sign${ofEsdk}
      $ sealdrop put notes.txt {vault}/x --format s3ec --suite 0x0478${ofEsdk}
      $ sealdrop put notes.txt {vault}/x --format s3ec --frame-length 1KiB${ofEsdk}
      $ sealdrop put notes.txt {vault}/x --instruction-file
      ! error: an instruction file is for objects of the S3 Encryption Client
      ! hint: with --format s3ec or s3ec-v2; leave --instruction-file out
      [2]
      $ sealdrop put notes.txt - --format s3ec
      ! error: an s3ec object is more than its body: its key lies beside it
      ! hint: for a message that comes alone: --format esdk
      [2]
      $ sealdrop put notes.txt {vault}/x --format s3ec --context kms_cmk_id=x
      ! error: the context name kms_cmk_id is reserved
      ! hint: it belongs to the format: choose another
      [2]
      $ sealdrop put notes.txt {vault}/x --format s3
      ! error: option '--format <format>' argument 's3' is invalid. Allowed choices are esdk, s3ec, s3ec-v2, plain.
      ! hint: see: sealdrop put --help
      [2]`);
  });
});

test('a directory that becomes a vault for such objects takes them, and says so in its marker', async () => {
  const { box } = await mixedVault('directory');
  box.names.new = `file://${box.path('new')}`;
  await box.transcript(`
    $ sealdrop put notes.txt {new}/x --format s3ec
    ! made a new vault: {new}/
    ! notes.txt -> {new}/x (6 B)
    $ cat new/.sealdrop-vault
    > {"version":1,"binding":"allow"}
    $ sealdrop put notes.txt {new}/y
    ! notes.txt -> {new}/y (6 B)
    $ sealdrop cat {new}/x {new}/y -q
    > hello
    > hello`);
});

test('raw AES keys and RSA keys of key sets, and several that may open', async () => {
  const { box } = await mixedVault('directory');
  const rsa = { namespace: 'lab', name: 'team', publicKey: PAIR.publicKey, privateKey: PAIR.privateKey };
  const aes = { namespace: 'lab', name: 'shared', secretKey: AES.toString('base64') };
  box.write('rsa.json', JSON.stringify({ version: 1, keys: [rsa] }));
  box.write('both.json', JSON.stringify({ version: 1, keys: [rsa, aes] }));
  for (const name of ['SEALDROP_PUBLIC_KEY', 'SEALDROP_PRIVATE_KEY']) delete box.env[name];
  await box.transcript(`
    $ sealdrop put notes.txt {vault}/aes --format s3ec --key-set aes.json
    ! notes.txt -> {vault}/aes (6 B)
    $ sealdrop put notes.txt {vault}/aes2 --format s3ec-v2 --recipient aes.json -q
    $ sealdrop put notes.txt {vault}/rsa --format s3ec --key-set rsa.json -q
    $ sealdrop inspect {vault}/aes | grep wrapped
    >   wrapped by    AES/GCM, in the object's metadata
    $ sealdrop cat {vault}/aes {vault}/aes2 {vault}/rsa --key-set both.json ${ALLOW} -q
    > hello
    > hello
    > hello
    $ sealdrop cat {vault}/rsa --key-set aes.json
    ! error: no key that was named opens the object’s data key, or what the object says of it was altered
    ! hint: it is wrapped by RSA-OAEP-SHA1: name its RSA private key
    [5]
    $ sealdrop cat {vault}/aes --private-key private_key.pem
    ! error: no key that was named opens the object’s data key, or what the object says of it was altered
    ! hint: it is wrapped by AES/GCM: name the key set that has its raw AES key
    [5]
    $ sealdrop cat {vault}/aes
    ! error: opening needs a private key
    ! hint: name it: --private-key FILE (or SEALDROP_PRIVATE_KEY), or --key-set FILE
    [2]`);
});

test('what is kept back lies in a nameless private file: nothing stays of it, even after SIGKILL or on a full disk', async () => {
  const { box, address } = await mixedVault('directory');
  box.write('large', randomBytes(6 * 1024 * 1024));
  await box.run(['put', 'large', `${address}/large`, '--format', 's3ec']);
  const { child, result } = box.start(['cat', `${address}/large`]);
  // It goes on with the pipe full: the file is read from then.
  child.stdout!.pause();
  const open = () =>
    readdirSync(`/proc/${child.pid}/fd`).flatMap((fd) => {
      const path = `/proc/${child.pid}/fd/${fd}`;
      try {
        return readlinkSync(path).includes('/.sealdrop-') ? [path] : [];
      } catch {
        return [];
      }
    });
  // Other files are open for a moment only: they may be closed when they are looked at.
  const whole = () =>
    open().filter((path) => statSync(path, { throwIfNoEntry: false })?.size === 6 * 1024 * 1024);
  await until('all of it is kept', () => whole().length > 0);
  const [kept] = whole();
  expect(readlinkSync(kept!)).toMatch(/ \(deleted\)$/);
  expect(statSync(kept!).mode & 0o777).toBe(0o600);
  expect(box.files().filter((name) => name.startsWith('TMPDIR/'))).toEqual([]);
  child.kill('SIGKILL');
  child.stdout!.resume();
  expect((await result).signal).toBe('SIGKILL');
  expect(box.files().filter((name) => name.startsWith('TMPDIR/'))).toEqual([]);
  await box.transcript(
    `
    $ ulimit -f 1024; sealdrop cat {vault}/large
    ! error: no room to keep the content until it is checked: {dir}/../tmp (EFBIG)
    ! hint: get it into a file; or name a folder with more room: TMPDIR
    [1]
    $ TMPDIR=/absent sealdrop cat {vault}/large
    ! error: cannot keep the content in /absent until it is checked (ENOENT)
    ! hint: get it into a file; or name another folder: TMPDIR
    [1]`.replace('{dir}/../tmp', box.tmp),
  );
  expect(box.files().filter((name) => name.startsWith('TMPDIR/'))).toEqual([]);
});

test('a KMS key makes a context of the pairs: it is authenticated, and may be asked for', async () => {
  const kms = await startFakeKms();
  try {
    const { box } = await mixedVault('directory');
    for (const name of ['SEALDROP_PUBLIC_KEY', 'SEALDROP_PRIVATE_KEY']) delete box.env[name];
    box.names.key = `kms:${keyArn('mine')}`;
    const env = {
      AWS_ENDPOINT_URL_KMS: kms.endpoint,
      AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
      AWS_SECRET_ACCESS_KEY: secret('the secret key', 'kms-secret-access-key'),
    };
    await box.transcript(
      `
      $ sealdrop put notes.txt {vault}/k --format s3ec --public-key {key} --context project=雪
      ! notes.txt -> {vault}/k (6 B)
      $ sealdrop inspect {vault}/k | grep -E 'wrapped|context'
      >   wrapped by    kms+context, in the object's metadata
      >   context       project = 雪
      $ sealdrop cat {vault}/k --private-key {key} --context project=雪 -q
      > hello
      $ sealdrop cat {vault}/k --private-key {key} --context project=rain
      ! error: the message's context does not have project=rain
      ! hint: sealdrop inspect shows the context that it has
      [5]`,
      { env },
    );
    expect(kms.calls.map(({ operation }) => operation)).toEqual(['GenerateDataKey', 'Decrypt', 'Decrypt']);
    expect(kms.calls[0]!.context).toEqual({ project: '雪', 'aws:x-amz-cek-alg': '115' });
  } finally {
    await kms.stop();
  }
});

test('a configured vault says what is written there and what may be read', async () => {
  const vault = await mixedVault('directory');
  const { box } = vault;
  const { address } = vault;
  const [binding, commitmentPolicy] = ['allow', 'REQUIRE_ENCRYPT_ALLOW_DECRYPT'];
  const vaults = {
    new: { address, binding, format: 's3ec' },
    old: { address, binding, format: 's3ec-v2', commitmentPolicy: 'FORBID_ENCRYPT_ALLOW_DECRYPT' },
    legacy: { address, binding, commitmentPolicy, allowLegacy: true },
    strict: { address, binding, format: 's3ec', commitmentPolicy },
  };
  box.write('sealdrop.config.json', JSON.stringify({ vaults }));
  await box.run(['trust']);
  await box.transcript(`
    $ sealdrop put notes.txt new:a
    ! notes.txt -> {vault}/a (6 B)
    $ sealdrop put notes.txt old:b --instruction-file
    ! notes.txt -> {vault}/b (6 B)
    $ sealdrop put notes.txt new:c --format esdk -q
    $ sealdrop inspect {vault}/a {vault}/b {vault}/c | grep format
    >   format        s3ec (S3 Encryption Client object, version 3)
    >   format        s3ec (S3 Encryption Client object, version 2)
    >   format        esdk (AWS Encryption SDK message, version 2)
    # each vault's own policy, in one command
    $ sealdrop cat new:a legacy:b old:b new:c -q
    > hello
    > hello
    > hello
    > hello
    $ sealdrop cat new:b 2>&1 | head -1
    > error: the object does not commit to its data key (format V2)
    # what is said by hand goes before it
    $ sealdrop cat legacy:b --commitment-policy REQUIRE_ENCRYPT_REQUIRE_DECRYPT 2>&1 | head -1
    > error: the object does not commit to its data key (format V2)
    # nor is anything written that a vault's own policy does not allow
    $ sealdrop put notes.txt strict:d --format s3ec-v2
    ! error: the commitment policy REQUIRE_ENCRYPT_ALLOW_DECRYPT requires key commitment, and V2 has none
    ! hint: --format s3ec, or --commitment-policy FORBID_ENCRYPT_ALLOW_DECRYPT
    [2]`);
  expect(await vault.keys()).toEqual(['a', 'b', 'b.instruction', 'c']);
  const said = await box.run(['trust', '--json']);
  expect(documents(said)[0]).toMatchObject({
    vaults: expect.arrayContaining([expect.objectContaining({ name: 'legacy', allowLegacy: true })]),
  });
});

test('a vault that could not read what is written there is refused with its configuration', async () => {
  const { box } = await mixedVault('directory');
  const address = 's3://lab';
  const vaults = { a: { address, format: 's3ec' }, b: { address, binding: 'allow', format: 's3ec-v2' } };
  box.write('sealdrop.config.json', JSON.stringify({ vaults }));
  const { code, stderr } = await box.run(['trust']);
  expect(stderr).toContain('vaults.a.binding: must be "allow" for "s3ec"');
  expect(stderr).toContain('vaults.b.commitmentPolicy: must be "FORBID_ENCRYPT_ALLOW_DECRYPT" for "s3ec-v2"');
  expect(code).toBe(2);
});
