/** `put --manifest` and `verify --manifest`: what a store lost or brought back is found. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { documents } from '../helpers/cli.js';
import { newVault } from '../helpers/cli-vault.js';
import { SETUP_TIME, startMinio, type S3Server } from '../helpers/servers.js';

let server: S3Server;
beforeAll(async () => {
  server = await startMinio();
}, SETUP_TIME);
afterAll(async () => server?.stop());

test.each(['s3', 'directory'] as const)('a vault on %s that loses, swaps, and brings back', async (kind) => {
  const vault = await newVault(kind, server);
  const { box } = vault;
  box.write('tree/a', 'one');
  box.write('tree/b', 'two');
  box.write('tree/c', 'three');
  box.write('d', 'four');
  await box.transcript(`
    $ sealdrop put -r tree {vault}/ --public-key public_key.pem --manifest stored.jsonl --files 1
    ! 3 files stored (11 B)
    $ sealdrop put d {vault}/tree/ --public-key public_key.pem --manifest stored.jsonl
    ! d -> {vault}/tree/d (4 B)
    $ sealdrop verify {vault}/tree/ --manifest stored.jsonl
    ! 4 as stored (1.7 KiB read), 0 replaced, 0 missing, 0 not in the manifest
  `);
  expect(box.read('stored.jsonl').toString().trim().split('\n')).toHaveLength(4);
  const older = await vault.stored('tree/a');
  box.write('tree/a', 'ONE');
  await box.transcript(`
    $ sealdrop put tree/a {vault}/tree/ --public-key public_key.pem --manifest stored.jsonl
    ! tree/a -> {vault}/tree/a (3 B)
    $ sealdrop rm {vault}/tree/b
    ! removed {vault}/tree/b
  `);
  // Authentic, bound to its key, and older.
  await vault.plant('tree/a', older);
  await vault.plant('tree/more', older);
  await box.transcript(`
    $ sealdrop get {vault}/tree/a back --private-key private_key.pem --quiet; cat back
    > one
    $ sealdrop verify {vault}/ --manifest stored.jsonl
    ! replaced: {vault}/tree/a
    ! missing: {vault}/tree/b
    ! not in the manifest: {vault}/tree/more
    ! 2 as stored (1.3 KiB read), 1 replaced, 1 missing, 1 not in the manifest
    ! error: 2 of 4 objects are not as they were stored
    ! hint: somebody deleted them, or put others in their place, older ones perhaps; an own put without --manifest does so, too
    [5]
  `);
  const json = await box.run(['verify', `${vault.address}/`, '--manifest', 'stored.jsonl', '--json']);
  const found = documents(json).filter(({ key }) => key !== undefined);
  expect(Object.fromEntries(found.map(({ key, finding }) => [key, finding]))).toEqual({
    'tree/a': 'replaced',
    'tree/b': 'missing',
    'tree/c': 'as_stored',
    'tree/d': 'as_stored',
    'tree/more': 'unlisted',
  });
});

test('what was stored and not recorded, when the machine went down, is stored again by --resume', async () => {
  const vault = await newVault('directory', server);
  const { box } = vault;
  for (const name of ['a', 'b', 'c']) box.write(`tree/${name}`, name);
  const put = 'sealdrop put -r tree {vault}/ --public-key public_key.pem --manifest stored.jsonl --resume';
  await box.transcript(`
    $ ${put}
    ! 3 files stored (3 B)
    # The second line was torn; the third never came.
    $ head -c $(($(head -1 stored.jsonl | wc -c) + 20)) stored.jsonl > torn; mv torn stored.jsonl
    $ ${put}
    ! 2 files stored (2 B), 1 there already
    $ ${put}
    ! 3 there already
    $ sealdrop verify {vault}/ --manifest stored.jsonl --quiet
  `);
  const [key = ''] = await vault.keys();
  await box.run(['rm', `${vault.address}/${key}`]);
  expect((await box.run(['verify', `${vault.address}/`, '--manifest', 'stored.jsonl'])).code).toBe(5);
});

test('a damaged line is no line that was torn: what it named could be gone', async () => {
  const vault = await newVault('directory', server);
  const { box } = vault;
  for (const name of ['a', 'b', 'c']) box.write(`tree/${name}`, name);
  await box.transcript(`
    $ sealdrop put -r tree {vault}/ --public-key public_key.pem --manifest stored.jsonl --files 1
    ! 3 files stored (3 B)
    $ sed -i '2s/.$//' stored.jsonl
    $ sealdrop rm {vault}/tree/b --quiet
    $ sealdrop verify {vault}/ --manifest stored.jsonl
    ! warning: stored.jsonl is damaged, in 1 line: whether what stood there is in the vault cannot be told
    ! hint: take that out, and store again what it named: put -r --resume --manifest finds it
    ! 2 as stored (872 B read), 0 replaced, 0 missing, 0 not in the manifest, 1 line damaged
    [6]
    $ sealdrop verify {vault}/ --manifest stored.jsonl --json 2>&- | tail -1
    > {"summary":{"as_stored":2,"replaced":0,"missing":0,"unlisted":0,"failed":0,"damaged":1}}
  `);
});

test('a file that is no manifest is not written to, and nothing is stored', async () => {
  const vault = await newVault('directory', server);
  vault.box.write('a', 'one');
  vault.box.write('notes.txt', 'mine\nand more\n');
  await vault.box.transcript(`
    $ sealdrop put a {vault}/ --public-key public_key.pem --manifest notes.txt
    ! error: notes.txt is no manifest: line 1
    ! hint: a manifest is what put --manifest FILE writes
    [2]
    $ sealdrop verify {vault}/ --manifest none
    ! error: there is no manifest none
    [3]
    $ cat notes.txt
    > mine
    > and more
  `);
  expect(await vault.keys()).toEqual([]);
});
