import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { lstatSync, mkdirSync, symlinkSync, statSync, chmodSync } from 'node:fs';
import { documents } from '../helpers/cli.js';
import { newVault, type TestVault } from '../helpers/cli-vault.js';
import { SETUP_TIME, startMinio, type S3Server } from '../helpers/servers.js';

const PUBLIC = ['--public-key', 'public_key.pem'];
const PRIVATE = ['--private-key', 'private_key.pem'];
const FINGERPRINT = /^[\w-]{43}$/;
const COMMITTED = 'ALG_AES256_GCM_IV12_TAG16_HKDF_SHA512_COMMIT_KEY';

let server: S3Server;
beforeAll(async () => {
  server = await startMinio();
}, SETUP_TIME);
afterAll(async () => server.stop());

describe.each(['s3', 'directory'] as const)('a vault on %s', (kind) => {
  let vault: TestVault;
  beforeAll(async () => {
    vault = await newVault(kind, server);
  });

  test('the way there and back', async () => {
    vault.box.write('notes.txt', 'hello\n');
    await vault.box.transcript(`
      $ sealdrop put notes.txt {vault}/ --public-key public_key.pem
      ! notes.txt -> {vault}/notes.txt (6 B)
      $ sealdrop ls {vault}/
      > {time}            444 notes.txt
      $ sealdrop get {vault}/notes.txt back.txt --private-key private_key.pem
      ! {vault}/notes.txt -> back.txt (6 B)
      $ cat back.txt
      > hello
      $ sealdrop cat {vault}/notes.txt --private-key private_key.pem
      > hello
      $ sealdrop rm {vault}/notes.txt
      ! removed {vault}/notes.txt
      $ sealdrop ls {vault}/
      ! nothing there begins with {vault}/
      $ sealdrop rm {vault}/notes.txt 2>&1 | head -c 6
      > error:
    `);
    expect(await vault.keys()).toEqual([]);
  });

  test.each([
    ['spaces', 'my holiday  pictures.zip'],
    ['Japanese', '研究 データ（最終版）.csv'],
    ['emoji', '📦🇯🇵.bin'],
    ['signs that shells and URLs read', `100% +a&b=c?#d;'"$(x)*.bin`],
    ['a percent code', 'a%2Fb%00.txt'],
    ['one combined letter (NFD)', 'が.txt'],
  ])('a name with %s goes there and back', async (_what, name) => {
    const { box } = vault;
    const bytes = randomBytes(1000);
    box.write(name, bytes);
    const put = await box.run(['put', name, `${vault.address}/sub/`, ...PUBLIC]);
    expect(put).toMatchObject({ code: 0, stderr: `${name} -> ${vault.address}/sub/${name} (1000 B)\n` });
    expect(await vault.keys()).toEqual([`sub/${name}`]);
    mkdirSync(box.path('out'), { recursive: true });
    const got = await box.run(['get', `${vault.address}/sub/${name}`, 'out', ...PRIVATE]);
    expect(got).toMatchObject({
      code: 0,
      stderr: `${vault.address}/sub/${name} -> out/${name} (1000 B)\n`,
    });
    expect(box.read(`out/${name}`)).toEqual(bytes);
    expect(await box.run(['rm', `${vault.address}/sub/${name}`])).toMatchObject({ code: 0 });
  });

  test('a name with a line feed and colours is escaped wherever it is shown', async () => {
    const { box } = vault;
    const name = 'two\nlines\u001b[31m';
    const shown = 'two\\u{a}lines\\u{1b}[31m';
    box.write(name, 'x');
    const put = await box.run(['put', name, `${vault.address}/`, ...PUBLIC]);
    expect(put.stderr).toBe(`${shown} -> ${vault.address}/${shown} (1 B)\n`);
    const ls = await box.run(['ls', `${vault.address}/two`]);
    expect(ls.stdout.toString()).toMatch(/^[^\n]* two\\u\{a\}lines\\u\{1b\}\[31m\n$/);
    const [listed] = documents(await box.run(['ls', `${vault.address}/two`, '--json']));
    expect(listed!.key).toBe(name);
    const cat = await box.run(['cat', `${vault.address}/${name}`, ...PRIVATE]);
    expect(cat.stdout.toString()).toBe('x');
    const rm = await box.run(['rm', `${vault.address}/${name}`]);
    expect(rm.stderr).toBe(`removed ${vault.address}/${shown}\n`);
    const gone = await box.run(['get', `${vault.address}/${name}`, ...PRIVATE]);
    expect(gone).toMatchObject({ code: 3 });
    expect(gone.stderr.split('\n')[0]).toContain(shown);
  });

  test('names that begin with a dash come after --, or with their folder', async () => {
    vault.box.write('-dash', 'dash');
    await vault.box.transcript(`
      $ sealdrop put --public-key public_key.pem -- -dash {vault}/
      ! -dash -> {vault}/-dash (4 B)
      $ sealdrop put ./-dash {vault}/ --public-key public_key.pem
      ! ./-dash -> {vault}/-dash (4 B)
      $ sealdrop get {vault}/-dash out-dash --private-key private_key.pem -q && cat ./out-dash
      > dash
      $ sealdrop rm {vault}/-dash -q
    `);
  });

  test.each([0, 1, 1_048_575, 1_048_576, 1_048_577, 3_000_000])(
    '%d bytes come back as they were',
    async (size) => {
      const { box } = vault;
      const bytes = randomBytes(size);
      box.write('data', bytes);
      expect(await box.run(['put', 'data', `${vault.address}/size`, ...PUBLIC])).toMatchObject({ code: 0 });
      const cat = await box.run(['cat', `${vault.address}/size`, ...PRIVATE]);
      expect(cat).toMatchObject({ code: 0, stderr: '' });
      expect(cat.stdout.equals(bytes)).toBe(true);
      const stored = await vault.stored('size');
      expect(stored.includes(bytes.subarray(0, 16)) && size >= 16).toBe(false);
    },
  );

  test('12 MiB in parts of 5 MiB', async () => {
    const { box } = vault;
    const bytes = randomBytes(12 * 1024 * 1024);
    const put = await box.run(
      ['put', '-', `${vault.address}/parts`, '--part-size', '5MiB', '--json', ...PUBLIC],
      {
        input: bytes,
      },
    );
    expect(documents(put)).toMatchObject([{ plaintextSize: bytes.length, source: '-', key: 'parts' }]);
    const got = await box.run(['get', `${vault.address}/parts`, 'parts', ...PRIVATE]);
    expect(got).toMatchObject({ code: 0 });
    expect(box.read('parts').equals(bytes)).toBe(true);
    const verified = await box.run(['verify', `${vault.address}/parts`, '--json']);
    const checksum = kind === 's3' ? 'passed' : 'absent';
    expect(documents(verified)[0]!.checks).toMatchObject([
      { name: 'framing', result: 'passed' },
      { name: 'size', result: 'absent' },
      { name: 'checksum', result: checksum },
    ]);
    await box.run(['rm', `${vault.address}/parts`]);
  });

  test('standard input and output are -', async () => {
    await vault.box.transcript(`
      $ echo piped | sealdrop put - {vault}/piped --public-key public_key.pem
      ! - -> {vault}/piped (6 B)
      $ sealdrop get {vault}/piped - --private-key private_key.pem
      > piped
      ! {vault}/piped -> standard output (6 B)
      $ echo piped | sealdrop put - - --public-key public_key.pem | sealdrop get - - --private-key private_key.pem
      > piped
      ! - -> standard output (6 B)
      ! - -> standard output (6 B)
      $ echo hi | sealdrop put - - -q --public-key public_key.pem | sealdrop get - from-pipe -q --private-key private_key.pem
      $ cat from-pipe
      > hi
      $ cat from-pipe | sealdrop put - {vault}/ --public-key public_key.pem
      ! error: standard input has no name: name the whole key in the target
      [2]
      $ sealdrop put - - {vault}/x/ --public-key public_key.pem
      ! error: standard input can be read once: name - once
      [2]
      $ sealdrop put from-pipe from-pipe - --public-key public_key.pem
      ! error: standard output takes one message: name one source
      [2]
      $ sealdrop put from-pipe - -q --public-key public_key.pem | sealdrop get - --private-key private_key.pem
      ! error: standard input has no name: name the file in the target
      [2]
    `);
  });

  test('several sources go into one place', async () => {
    const { box } = vault;
    for (const name of ['a.txt', 'b.txt', 'deep/a.txt']) box.write(name, name);
    await box.transcript(
      `
      $ sealdrop put a.txt b.txt {vault}/many/ --public-key public_key.pem
      ! a.txt -> {vault}/many/a.txt (5 B)
      ! b.txt -> {vault}/many/b.txt (5 B)
      $ sealdrop put a.txt b.txt {vault}/one --public-key public_key.pem
      ! error: 2 sources need a place for many: {vault}/one/
      [2]
      $ sealdrop put a.txt missing {vault}/many/ --public-key public_key.pem
      ! a.txt -> {vault}/many/a.txt (5 B)
      ! error: there is no file missing
      ! 1 of 2 failed
      [6]
      $ sealdrop put missing gone {vault}/many/ --public-key public_key.pem
      ! error: there is no file missing
      ! error: there is no file gone
      ! 2 of 2 failed
      [3]
      # two sources of one name: one would be lost
      $ sealdrop put a.txt deep/a.txt {vault}/many/ --public-key public_key.pem
      ! error: two sources would be stored as many/a.txt
      ! hint: one would replace the other: put them into different places
      [2]
      $ sealdrop cat {vault}/many/a.txt {vault}/many/b.txt --private-key private_key.pem
      > a.txtb.txt
      $ sealdrop rm {vault}/many/a.txt {vault}/many/none {vault}/many/b.txt 2>&1 | grep -v hint | cut -d: -f1
      > removed {schemeOfVault}
      > error
      > removed {schemeOfVault}
      > 1 of 3 failed
    `.replaceAll('{schemeOfVault}', kind === 's3' ? 's3' : 'file'),
    );
  });

  test('--no-overwrite keeps what is there, on both sides', async () => {
    const { box } = vault;
    box.write('new', 'new');
    await box.transcript(`
      $ echo old | sealdrop put - {vault}/kept -q --public-key public_key.pem
      $ sealdrop put new {vault}/kept --no-overwrite --public-key public_key.pem
      ! error: {vault}/kept is there already
      ! hint: name another key, or leave --no-overwrite out
      [1]
      $ sealdrop cat {vault}/kept --private-key private_key.pem
      > old
      $ sealdrop get {vault}/kept new --no-overwrite --private-key private_key.pem
      ! error: new is there already
      ! hint: name another target, or leave --no-overwrite out
      [1]
      $ cat new
      > new
      $ sealdrop put new {vault}/kept --public-key public_key.pem
      ! new -> {vault}/kept (3 B)
      $ sealdrop get {vault}/kept fresh --no-overwrite --private-key private_key.pem -q && cat fresh
      > new
      $ sealdrop put new {vault}/fresh --no-overwrite --public-key public_key.pem
      ! new -> {vault}/fresh (3 B)
    `);
  });

  test('--context is kept with the message, shown by inspect, and may be required', async () => {
    await vault.box.transcript(`
      $ echo x | sealdrop put - {vault}/ctx -q --public-key public_key.pem --context "project=雪 1" --context b=2=3
      $ sealdrop inspect {vault}/ctx | grep context
      >   context       b = 2=3
      >   context       project = 雪 1
      >   context       sealdrop:key = ctx
      $ sealdrop cat {vault}/ctx --private-key private_key.pem --context "project=雪 1"
      > x
      $ sealdrop cat {vault}/ctx --private-key private_key.pem --context project=rain
      ! error: the message's context does not have project=rain
      ! hint: sealdrop inspect shows the context that it has
      [5]
      $ sealdrop get {vault}/ctx out-ctx --private-key private_key.pem --context absent=1
      ! error: the message's context does not have absent=1
      ! hint: sealdrop inspect shows the context that it has
      [5]
      $ sealdrop put private_key.pem {vault}/ctx2 --public-key public_key.pem --context sealdrop:key=other
      ! error: the context name sealdrop:key is reserved
      ! hint: names that begin with sealdrop: belong to the format: choose another
      [2]
      $ sealdrop put private_key.pem {vault}/ctx2 --public-key public_key.pem --context aws-crypto-public-key=x
      ! error: the context name aws-crypto-public-key is reserved
      ! hint: names that begin with aws-crypto- belong to the format: choose another
      [2]
    `);
    expect(vault.box.has('out-ctx')).toBe(false);
    expect(await vault.keys()).not.toContain('ctx2');
  });

  test('inspect tells what an object is without any key', async () => {
    await vault.box.transcript(`
      $ head -c 3000 /dev/zero | sealdrop put - {vault}/seen -q --public-key public_key.pem --frame-length 1KiB
      $ sealdrop inspect {vault}/seen
      > {vault}/seen
      >   format        esdk (AWS Encryption SDK message, version 2)
      >   origin        sealdrop
      >   suite         0x0478 ALG_AES256_GCM_IV12_TAG16_HKDF_SHA512_COMMIT_KEY
      >   committing    yes
      >   signed        no
      >   frame length  1.0 KiB
      >   wrapped to    MyAppKeys/S3RSAKey
      >   fingerprint   {fingerprint} (the metadata says so)
      >   context       sealdrop:key = seen
      >   stored        3497 bytes, {time}
      >   plaintext     3000 bytes
      $ sealdrop put public_key.pem - -q --sign --public-key public_key.pem | sealdrop inspect - | grep -v 'context'
      > -
      >   format        esdk (AWS Encryption SDK message, version 2)
      >   origin        foreign
      >   suite         0x0578 ALG_AES256_GCM_IV12_TAG16_HKDF_SHA512_COMMIT_KEY_ECDSA_P384
      >   committing    yes
      >   signed        yes
      >   frame length  1.0 MiB
      >   wrapped to    MyAppKeys/S3RSAKey
    `);
  });

  test('verify without the private key finds accidents and says that it proves nothing; with it, all is authenticated', async () => {
    const checksum =
      kind === 's3'
        ? 'passed  checksum   md5 {digest}'
        : 'absent  checksum   the store keeps none that can be checked';
    vault.box.write('seven', 'seven!\n');
    await vault.box.transcript(`
      $ sealdrop put seven {vault}/checked -q --public-key public_key.pem
      $ sealdrop verify {vault}/checked 2>&1 | sed -E 's/[0-9a-f]{32}/{digest}/'
      > {vault}/checked (443 B stored)
      >   passed  framing    complete, one frame
      >   passed  size       7 plaintext bytes, the metadata says 7
      >   ${checksum}
      > checked without the private key: this finds accidents and proves no integrity
      $ sealdrop verify {vault}/checked --private-key private_key.pem 2>&1 | sed -E 's/[0-9a-f]{32}/{digest}/'
      > {vault}/checked (443 B stored)
      >   passed  integrity  all of 7 plaintext bytes authenticated
      >   ${checksum}
      $ sealdrop verify {vault}/checked --private-key private_key.pem -q
      $ sealdrop verify {vault}/checked {vault}/none --private-key private_key.pem -q 2>&1 | head -c 5; echo
      > error
      $ sealdrop verify {vault}/checked {vault}/none --private-key private_key.pem -q 2>&-
      [6]
    `);
  });

  test('what was moved by hand is refused as another object, and read by --moved', async () => {
    const { box } = vault;
    await box.shell('echo x | sealdrop put - $V/one -q --public-key public_key.pem', {
      env: { V: vault.address },
    });
    await vault.plant('two', await vault.stored('one'));
    await box.transcript(`
      $ sealdrop get {vault}/two moved --private-key private_key.pem
      ! error: the message was made for the key one, not for two
      ! hint: somebody may have swapped two objects; if it was moved or copied on purpose: --moved opens it, and sealdrop rewrap --rebind binds it to its new key (sealdrop mv and cp do so themselves)
      [5]
      $ sealdrop get {vault}/two moved --moved --private-key private_key.pem
      ! {vault}/two -> moved (2 B) (made for the key one)
      $ sealdrop cat {vault}/two --moved --private-key private_key.pem
      > x
      ! {vault}/two (made for the key one)
      $ sealdrop verify {vault}/two --moved --private-key private_key.pem -q
      $ sealdrop inspect {vault}/two | grep origin
      >   origin        sealdrop, for another key
    `);
  });

  test('a message that names no key is said to be unbound, and refused where the vault requires it', async () => {
    const { box } = vault;
    const message = await box.shell('echo x | sealdrop put - - -q --public-key public_key.pem');
    await vault.plant('foreign', message.stdout);
    const note = '(unbound: the message names no key, so the store could have put another in its place)';
    if (kind === 's3')
      return box.transcript(`
        $ sealdrop get {vault}/foreign unbound --private-key private_key.pem
        ! {vault}/foreign -> unbound (2 B) ${note}
      `);
    return box.transcript(`
      $ sealdrop get {vault}/foreign unbound --private-key private_key.pem
      ! error: the message names no key, and this vault takes none like that
      ! hint: another program wrote it, or somebody put it there; if that is expected: --unbound
      [5]
      $ sealdrop cat {vault}/foreign --unbound --private-key private_key.pem
      > x
      ! {vault}/foreign ${note}
    `);
  });

  test('--json: one document a result', async () => {
    const { box } = vault;
    box.write('doc', 'document');
    const put = await box.run(['put', 'doc', `${vault.address}/`, '--json', '--context', 'a=b', ...PUBLIC]);
    expect(put).toMatchObject({ code: 0, stderr: '' });
    expect(documents(put)).toEqual([
      {
        source: 'doc',
        address: `${vault.address}/doc`,
        key: 'doc',
        plaintextSize: 8,
        size: expect.any(Number),
        etag: expect.any(String),
        checked: kind === 's3' ? 'signature' : 'fsync',
        recipients: [
          { namespace: 'MyAppKeys', name: 'S3RSAKey', fingerprint: expect.stringMatching(FINGERPRINT) },
        ],
        unfinishedUploads: [],
      },
    ]);
    const { size } = documents(put)[0]!;
    const opened = {
      size,
      plaintextSize: 8,
      bound: 'bound',
      format: 'esdk',
      suite: COMMITTED,
      signed: false,
      context: { 'sealdrop:key': 'doc', a: 'b' },
    };
    const get = await box.run(['get', `${vault.address}/doc`, 'doc2', '--json', ...PRIVATE]);
    expect(get).toMatchObject({ code: 0, stderr: '' });
    expect(documents(get)).toEqual([{ source: `${vault.address}/doc`, target: 'doc2', ...opened }]);
    const ls = await box.run(['ls', `${vault.address}/doc`, '--json']);
    expect(documents(ls)).toEqual([
      {
        key: 'doc',
        address: `${vault.address}/doc`,
        size,
        modified: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        etag: expect.any(String),
      },
    ]);
    const inspected = await box.run(['inspect', `${vault.address}/doc`, '--json']);
    expect(documents(inspected)).toEqual([
      {
        name: `${vault.address}/doc`,
        format: 'esdk',
        version: 2,
        suite: COMMITTED,
        suiteId: '0x0478',
        committing: true,
        signed: false,
        frameLength: 1_048_576,
        headerLength: expect.any(Number),
        messageId: expect.stringMatching(/^[0-9a-f]{64}$/),
        context: { 'sealdrop:key': 'doc', a: 'b' },
        wrappedKeys: [{ namespace: 'MyAppKeys', name: 'S3RSAKey', bytes: 256 }],
        origin: 'sealdrop',
        size,
        plaintextSize: 8,
        plaintextSizeExact: true,
        metadata: { format: 'esdk', size: 8, fingerprints: [expect.stringMatching(FINGERPRINT)] },
        modified: expect.any(String),
        etag: expect.any(String),
      },
    ]);
    const verified = await box.run(['verify', `${vault.address}/doc`, '--json', ...PRIVATE]);
    expect(documents(verified)).toMatchObject([
      {
        name: `${vault.address}/doc`,
        size,
        authenticated: true,
        bound: 'bound',
        suite: COMMITTED,
        checks: [{ name: 'integrity', result: 'passed', detail: expect.any(String) }, { name: 'checksum' }],
      },
    ]);
    const rm = await box.run(['rm', `${vault.address}/doc`, '--json']);
    expect(documents(rm)).toEqual([{ address: `${vault.address}/doc`, removed: true }]);
  });

  test('--json where standard output carries the content: documents go to standard error, alone', async () => {
    const { box } = vault;
    box.write('doc', 'document');
    const put = await box.run(['put', 'doc', '-', '--json', ...PUBLIC]);
    expect(JSON.parse(put.stderr)).toMatchObject({
      source: 'doc',
      target: '-',
      plaintextSize: 8,
      size: put.stdout.length,
    });
    const get = await box.run(['get', '-', '-', '--json', ...PRIVATE], { input: put.stdout });
    expect(get.stdout.toString()).toBe('document');
    expect(JSON.parse(get.stderr)).toMatchObject({
      source: '-',
      target: '-',
      plaintextSize: 8,
      bound: 'unbound',
    });
    const cat = await box.run(['cat', '-', '--json', ...PRIVATE], { input: put.stdout.subarray(0, -1) });
    expect(cat).toMatchObject({ code: 5, stdout: Buffer.alloc(0) });
    expect(JSON.parse(cat.stderr)).toMatchObject({ error: { code: 'truncated' } });
    const lost = await box.run(['get', `${vault.address}/none`, '-', '--json', ...PRIVATE]);
    expect(lost).toMatchObject({ code: 3, stdout: Buffer.alloc(0) });
    expect(JSON.parse(lost.stderr)).toMatchObject({ error: { code: 'object_not_found' } });
  });
});

describe('recipients and their names', () => {
  let vault: TestVault;
  beforeAll(async () => {
    vault = await newVault('directory', server);
  });

  test('any one of several recipients opens, with several private keys too', async () => {
    await vault.box.transcript(`
      $ echo two | sealdrop put - {vault}/two -q --public-key public_key.pem --public-key other_public.pem
      $ sealdrop inspect {vault}/two | grep -c 'wrapped to'
      > 2
      $ sealdrop cat {vault}/two --private-key private_key.pem
      > two
      $ sealdrop cat {vault}/two --private-key other_private.pem
      > two
      $ echo one | sealdrop put - {vault}/one -q --public-key other_public.pem
      $ sealdrop cat {vault}/one {vault}/two --private-key private_key.pem --private-key other_private.pem
      > one
      > two
    `);
  });

  test('--key-name and --key-namespace go into the message; a private key that is named opens only what names it', async () => {
    await vault.box.transcript(`
      $ echo named | sealdrop put - {vault}/named -q --public-key public_key.pem --key-namespace Lab --key-name 鍵
      $ sealdrop inspect {vault}/named | grep wrapped
      >   wrapped to    Lab/鍵
      $ sealdrop cat {vault}/named --private-key private_key.pem
      > named
      $ sealdrop cat {vault}/named --private-key private_key.pem --key-namespace Lab --key-name 鍵
      > named
      $ sealdrop cat {vault}/named --private-key private_key.pem --key-name Other
      ! error: the message was encrypted to somebody else, or its header was altered
      ! hint: it names the wrapping keys Lab/鍵: is this the private key of one of them?
      [5]
      $ SEALDROP_KEY_NAME=Env sealdrop put public_key.pem - -q --public-key public_key.pem | sealdrop inspect - | grep wrapped
      >   wrapped to    MyAppKeys/Env
    `);
  });

  test('key sets: every active key wraps, a private one opens, a private half where a public one belongs is refused', async () => {
    const { box } = vault;
    const pem = (name: string) => box.read(name).toString();
    const entry = (name: string, files: Record<string, string>, state?: string) => ({
      namespace: 'Team',
      name,
      ...Object.fromEntries(Object.entries(files).map(([half, file]) => [half, pem(file)])),
      state,
    });
    const set = (...keys: object[]) => JSON.stringify({ version: 1, keys });
    box.write(
      'public.json',
      set(
        entry('a', { publicKey: 'public_key.pem' }),
        entry('b', { publicKey: 'other_public.pem' }, 'retired'),
      ),
    );
    box.write(
      'private.json',
      set(entry('a', { publicKey: 'public_key.pem', privateKey: 'private_key.pem' })),
    );
    await box.transcript(`
      $ echo set | sealdrop put - {vault}/set -q --public-key public.json
      $ sealdrop inspect {vault}/set | grep wrapped
      >   wrapped to    Team/a
      $ sealdrop cat {vault}/set --private-key private.json
      > set
      $ sealdrop put public.json {vault}/x --public-key private.json
      ! error: private.json: keys[0].privateKey does not belong in a public key set
      ! hint: whoever encrypts must not be able to decrypt: sealdrop keys export-public writes a set without private halves
      [2]
    `);
  });

  test.each(['sha1', 'sha256', 'sha384', 'sha512'])(
    '--oaep-hash %s is found out when it is opened, and may be named',
    async (hash) => {
      await vault.box.transcript(`
      $ echo ${hash} | sealdrop put - {vault}/hash -q --public-key public_key.pem --oaep-hash ${hash}
      $ sealdrop cat {vault}/hash --private-key private_key.pem
      > ${hash}
      $ sealdrop cat {vault}/hash --private-key private_key.pem --oaep-hash ${hash}
      > ${hash}
      $ sealdrop cat {vault}/hash --private-key private_key.pem --oaep-hash ${hash === 'sha1' ? 'sha256' : 'sha1'} 2>&-
      [5]
    `);
    },
  );
});

describe('suites', () => {
  let vault: TestVault;
  beforeAll(async () => {
    vault = await newVault('directory', server);
  });

  test('--sign', () =>
    vault.box.transcript(`
      $ echo signed | sealdrop put - {vault}/signed -q --public-key public_key.pem --sign
      $ sealdrop inspect {vault}/signed --json | grep -o '"suiteId":"0x0578".*"signed":true'
      > "suiteId":"0x0578","committing":true,"signed":true
      $ sealdrop cat {vault}/signed --private-key private_key.pem
      > signed
    `));

  test('uncommitted ones are written and read only under a policy that allows it by name', () =>
    vault.box.transcript(`
      $ echo old | sealdrop put - {vault}/old --public-key public_key.pem --suite 0x0378
      ! error: the suite 0x0378 is not written under the policy REQUIRE_ENCRYPT_REQUIRE_DECRYPT
      ! hint: uncommitted suites are for old readers only: --commitment-policy FORBID_ENCRYPT_ALLOW_DECRYPT
      [2]
      $ echo old | sealdrop put - {vault}/old -q --public-key public_key.pem --suite 0x0378 --commitment-policy FORBID_ENCRYPT_ALLOW_DECRYPT
      $ sealdrop cat {vault}/old --private-key private_key.pem --json 2>&1 | grep -o '"code":"[a-z_]*"'
      > "code":"policy"
      $ sealdrop cat {vault}/old --private-key private_key.pem --commitment-policy REQUIRE_ENCRYPT_ALLOW_DECRYPT
      > old
      $ SEALDROP_COMMITMENT_POLICY=REQUIRE_ENCRYPT_ALLOW_DECRYPT sealdrop cat {vault}/old --private-key private_key.pem
      > old
    `));

  test('--frame-length, and the readers’ limits on frames and wrapped keys', () =>
    vault.box.transcript(`
      $ head -c 5000 /dev/zero | sealdrop put - {vault}/frames -q --public-key public_key.pem --public-key other_public.pem --frame-length 1024
      $ sealdrop verify {vault}/frames 2>&1 | grep framing
      >   passed  framing    complete, 5 frames in order
      $ sealdrop cat {vault}/frames --private-key private_key.pem --max-wrapped-keys 1 --json 2>&1 | grep -o '"code":"[a-z_]*"'
      > "code":"policy"
      $ sealdrop cat {vault}/frames --private-key private_key.pem --max-frame-length 1000 --json 2>&1 | grep -o '"code":"[a-z_]*"'
      > "code":"policy"
      $ sealdrop cat {vault}/frames --private-key private_key.pem --max-frame-length 1KiB --max-wrapped-keys 2 | wc -c
      > 5000
    `));
});

describe('targets of get', () => {
  let vault: TestVault;
  beforeAll(async () => {
    vault = await newVault('directory', server);
    await vault.box.shell('echo content | sealdrop put - $V/object -q --public-key public_key.pem', {
      env: { V: vault.address },
    });
  });
  const get = (...args: string[]) =>
    vault.box.run(['get', `${vault.address}/object`, ...args, '-q', ...PRIVATE]);

  test('the current folder by default', async () => {
    expect(await get()).toMatchObject({ code: 0 });
    expect(vault.box.read('object').toString()).toBe('content\n');
  });

  test('a symbolic link stays one: the file that it leads to is replaced', async () => {
    vault.box.write('real', 'before');
    symlinkSync('real', vault.box.path('link'));
    expect(await get('link')).toMatchObject({ code: 0 });
    expect(lstatSync(vault.box.path('link')).isSymbolicLink()).toBe(true);
    expect(vault.box.read('real').toString()).toBe('content\n');
  });

  test('the mode of a file that is replaced stays; a new one has the usual', async () => {
    vault.box.write('mine', 'before');
    chmodSync(vault.box.path('mine'), 0o640);
    await get('mine');
    await get('usual');
    const modes = ['mine', 'usual'].map((name) => statSync(vault.box.path(name)).mode & 0o777);
    expect(modes).toEqual([0o640, 0o666 & ~process.umask()]);
  });

  test('a pipe or device is written to, not replaced', async () => {
    const { stdout } = await vault.box.shell(
      'mkfifo pipe; cat pipe & sealdrop get $V/object pipe -q --private-key private_key.pem; wait',
      { env: { V: vault.address } },
    );
    expect(stdout.toString()).toBe('content\n');
    expect(lstatSync(vault.box.path('pipe')).isFIFO()).toBe(true);
    expect(await get('/dev/null')).toMatchObject({ code: 0 });
    expect(lstatSync('/dev/null').isCharacterDevice()).toBe(true);
  });

  test('never lies in a vault, not even the object itself', async () => {
    const before = await vault.stored('object');
    await vault.box.transcript(`
      $ sealdrop get {vault}/object vault/plain --private-key private_key.pem
      ! error: vault/plain lies in the vault {dir}/vault
      ! hint: a vault is for ciphertext alone: name a target outside of it
      [2]
      $ sealdrop get {vault}/object vault/object --private-key private_key.pem
      ! error: vault/object is source and target at once
      [2]
    `);
    expect(await vault.stored('object')).toEqual(before);
    expect(await vault.keys()).toEqual(['object']);
  });
});

test('a directory becomes a vault with the first object, and not for a source that isn’t there', async () => {
  const { box } = await newVault('directory', server);
  box.write('a.txt', 'a');
  await box.transcript(`
    $ sealdrop put missing file://{dir}/new/deep/a.txt --public-key public_key.pem
    ! error: there is no file missing
    [3]
    $ ls new
    ! ls: cannot access 'new': No such file or directory
    [2]
    $ sealdrop put a.txt file://{dir}/new/deep/a.txt --public-key public_key.pem
    ! made a new vault: file://{dir}/new/
    ! a.txt -> file://{dir}/new/deep/a.txt (1 B)
    $ cat new/.sealdrop-vault
    > {"version":1,"binding":"required"}
    # a folder with something else in it never does
    $ mkdir used && touch used/file && sealdrop put a.txt file://{dir}/used/a.txt --public-key public_key.pem
    ! error: {dir}/used/a.txt does not lie in a vault
    ! hint: a vault is a new or empty directory, or one with a file .sealdrop-vault in it that holds {"version":1,"binding":"required"}
    [2]
    # and a bare path may be a typing mistake
    $ sealdrop put a.txt new2/a.txt --public-key public_key.pem
    ! error: new2/a.txt does not lie in a vault
    ! hint: an address is s3://bucket/key, or file:///directory/key for a directory
    [2]
    # nor does doctor call it one that is to be made
    $ sealdrop doctor new2 | tail -2
    > broken   directory      new2 does not lie in a vault
    >                         -> an address is s3://bucket/key, or file:///directory/key for a directory
    $ sealdrop doctor file://{dir}/used | tail -2
    > broken   directory      {dir}/used does not lie in a vault
    >                         -> a vault is a new or empty directory, or one with a file .sealdrop-vault in it that holds {"version":1,"binding":"required"}
    # read, it is a path like any other
    $ sealdrop cat new/deep/a.txt --private-key private_key.pem && echo
    > a
  `);
});

test('a directory that is no vault is said to be none: listed with a warning, and not where there is nothing', async () => {
  const { box } = await newVault('directory', server);
  const hint =
    'hint: check the address: a directory is a vault by the file .sealdrop-vault in it, which the first put makes';
  box.write('a', 'a');
  await box.transcript(`
    $ sealdrop put a {vault}/ --public-key public_key.pem --manifest stored.jsonl --quiet
    $ sealdrop ls file://{dir}/vualt
    ! error: file://{dir}/vualt does not lie in a vault
    ! ${hint}
    [2]
    $ sealdrop verify file://{dir}/vualt --manifest stored.jsonl
    ! error: file://{dir}/vualt does not lie in a vault
    ! ${hint}
    [2]
    # what was copied out of a vault can be looked at, and compared
    $ mkdir copy empty && cp vault/a copy/
    $ sealdrop ls copy
    > {time}            431 a
    ! warning: file://{dir}/copy/ does not lie in a vault
    ! ${hint}
    $ sealdrop verify copy --manifest stored.jsonl
    ! warning: file://{dir}/copy/ does not lie in a vault
    ! ${hint}
    ! 1 as stored (431 B read), 0 replaced, 0 missing, 0 not in the manifest
    $ sealdrop verify empty --manifest stored.jsonl 2>&1 | head -4
    > warning: file://{dir}/empty/ does not lie in a vault
    > ${hint}
    > missing: file://{dir}/empty/a
    > 0 as stored (0 B read), 0 replaced, 1 missing, 0 not in the manifest
    $ sealdrop ls empty
    ! error: file://{dir}/empty/ does not lie in a vault
    ! ${hint}
    [2]
    # in one there may be nothing
    $ sealdrop ls {vault}/b
    ! nothing there begins with {vault}/b
  `);
});
