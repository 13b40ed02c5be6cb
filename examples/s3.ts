// The same calls with an S3-compatible store: SEALDROP_EXAMPLE_VAULT=s3://bucket/prefix/ and, for any store but AWS,
// SEALDROP_EXAMPLE_ENDPOINT=https://host. Credentials are found as the AWS tools find them. Without, it uses a directory.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { generateKeyPair, get, openVault, put, type StoreSettings } from 'sealdrop';

const folder = await mkdtemp(join(tmpdir(), 'sealdrop-'));
const vault = process.env['SEALDROP_EXAMPLE_VAULT'] ?? `file://${folder}/vault/`;
const store: StoreSettings = {
  endpointUrl: process.env['SEALDROP_EXAMPLE_ENDPOINT'],
  // region, profile and caBundle where the AWS configuration files don't say them; partSize and concurrency to tune.
};
const pair = await generateKeyPair();

// A stream of unknown length, as an upload or a database dump would be.
const size = 12 * 1024 * 1024;
const source = Readable.from(
  (function* () {
    for (let sent = 0; sent < size; sent += 65_536) yield Buffer.alloc(65_536, 'x');
  })(),
);
const stored = await put({
  ...store,
  source,
  target: `${vault}dump.bin`,
  publicKeys: [Buffer.from(pair.publicKey)],
  context: { project: 'lab' },
  expectedSize: size,
  overwrite: false,
  signal: AbortSignal.timeout(60_000), // ended early, nothing stays behind
});
assert.equal(stored.plaintextSize, size);

// Into a stream: what arrives is authenticated, and the promise says whether all of it has arrived.
let received = 0;
const target = new Writable({
  write: (piece: Buffer, _encoding, done) => {
    received += piece.length;
    done();
  },
});
await get({ ...store, source: stored.address, target, privateKeys: [Buffer.from(pair.privateKey.reveal())] });
assert.equal(received, size);

// What lies there, without any key.
const opened = await openVault(vault, 'read', store);
const keys: string[] = [];
for await (const { key } of opened.store.list(opened.key)) keys.push(key);
assert.ok(keys.includes(stored.key));
await opened.store.remove(stored.key);
opened.store.close();

console.log(`${stored.address}: ${stored.size} bytes, checked by ${stored.checked}, read back and removed`);
await rm(folder, { recursive: true });
