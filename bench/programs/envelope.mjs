// Encrypts or decrypts so many bytes from memory to memory, once, and prints the seconds, processor seconds and peak of
// memory that this took; the time to start and to make what is decrypted is not counted. In a process of its own, so that
// nothing was compiled or allocated before.
// Usage: envelope.mjs JOB, a JSON object: engine, direction, bytes, keys, and what the engine takes.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as clientNode from './engines/client-node.mjs';
import * as sealdrop from './engines/sealdrop.mjs';

const MIB = 1024 * 1024;
// As files are read, and as connections hand over.
const PIECE = { encrypt: MIB, decrypt: 64 * 1024 };
const ENGINES = { 'client-node': clientNode, sealdrop };

const job = JSON.parse(process.argv[2]);
const engine = await ENGINES[job.engine].open(job);
const { direction, bytes } = job;
const source =
  direction === 'encrypt' ? repeated(bytes) : cut(await collect(await engine.encrypt(repeated(bytes))));

const cpu = process.cpuUsage();
const started = performance.now();
let out = 0;
await engine.consume(await engine[direction](source), (piece) => (out += piece.length));
const seconds = (performance.now() - started) / 1000;
const { user, system } = process.cpuUsage(cpu);
if (direction === 'decrypt' ? out !== bytes : out <= bytes) throw new Error(`${out} bytes came of ${bytes}`);

const peak = Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
console.log(
  JSON.stringify({
    bytes,
    seconds,
    cpu: (user + system) / 1e6,
    // Of a decryption, the message that it is given lies in memory too.
    ...(direction === 'encrypt' && { peak }),
  }),
);

function* repeated(size) {
  const block = randomBytes(PIECE.encrypt);
  for (let left = size; left > 0; left -= block.length) yield block.subarray(0, left);
}

async function collect(message) {
  const pieces = [];
  // A piece is ours until the next is asked for.
  await engine.consume(message, (piece) => pieces.push(Buffer.from(piece)));
  return pieces;
}

function* cut(pieces) {
  for (const piece of pieces)
    for (let at = 0; at < piece.length; at += PIECE.decrypt) yield piece.subarray(at, at + PIECE.decrypt);
}
