// A file into a vault and back, with progress. The vault is a directory here; `s3://bucket/key` works the same way.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKeyPair, get, put } from 'sealdrop';

const folder = await mkdtemp(join(tmpdir(), 'sealdrop-'));
const file = join(folder, 'results.csv');
await writeFile(file, 'sample,value\n'.repeat(300_000));

// Two PEM texts. Only the public one has to be where files are encrypted; `sealdrop keygen` writes both as files.
const { publicKey, privateKey } = await generateKeyPair();

let seen = 0;
const stored = await put({
  source: file,
  target: `file://${folder}/vault/2026/`, // a slash at the end: under the file's own name
  publicKeys: [Buffer.from(publicKey)], // or paths: ['public_key.pem']
  onProgress: (bytes) => (seen = bytes),
});
assert.equal(seen, stored.plaintextSize);

const opened = await get({
  source: stored.address,
  target: join(folder, 'back.csv'), // appears when every byte was checked, or not at all
  privateKeys: [Buffer.from(privateKey.reveal())], // or paths: ['private_key.pem']
});
assert.deepEqual(await readFile(join(folder, 'back.csv')), await readFile(file));
assert.equal(opened.bound, 'bound'); // the message was made for this very key of the vault

console.log(`${stored.key}: ${stored.plaintextSize} bytes stored as ${stored.size}, and back`);
await rm(folder, { recursive: true });
