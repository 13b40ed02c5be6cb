// The parts, for a store of your own: messages are made and opened piece by piece, and bound to the key they lie under.
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import {
  generateKeyPair,
  isSealdropError,
  MemoryStore,
  openDecryptor,
  openEncryptor,
  type ByteSource,
  type ObjectStore,
} from 'sealdrop';

const pair = await generateKeyPair();
const encryptor = await openEncryptor({ publicKeys: [Buffer.from(pair.publicKey)] });
const decryptor = await openDecryptor({ privateKeys: [Buffer.from(pair.privateKey.reveal())] });

// MemoryStore is the smallest ObjectStore; a database or a queue needs no more than these methods.
const store: ObjectStore = new MemoryStore();

async function save(key: string, source: ByteSource, size: number): Promise<void> {
  // Readable by anybody, changeable by nobody. `sealdrop:key` is what `sealdrop get` compares; the others are yours.
  const context = { 'sealdrop:key': key, owner: 'lab' };
  const message = encryptor.encrypt(source, context);
  await store.put(key, message, { size: encryptor.ciphertextSize(size, context).bytes });
}

async function load(key: string): Promise<string> {
  const { body } = await store.get(key);
  const pieces: Uint8Array[] = [];
  const accept = (message: { context: Readonly<Record<string, string>> }) =>
    // Called when the header is authenticated and before anything is opened: throw to refuse.
    assert.equal(message.context['sealdrop:key'], key, 'this message was made for another key');
  for await (const piece of decryptor.decrypt(body, { accept })) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

await save('a.txt', Readable.from([Buffer.from('salary: 1')]), 9);
await save('b.txt', Readable.from([Buffer.from('salary: 2')]), 9);
assert.equal(await load('a.txt'), 'salary: 1');

// A store that hands out one object in another's place is found out.
const { body } = await store.get('b.txt');
await store.put('a.txt', body);
await assert.rejects(load('a.txt'), /made for another key/);

await assert.rejects(load('c.txt'), (error) => isSealdropError(error) && error.code === 'object_not_found');
console.log('an own store: saved, loaded, and a swapped object refused');
