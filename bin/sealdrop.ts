#!/usr/bin/env node
import { main } from '../src/cli/main.js';
import { parts } from '../src/compose.js';

// A reader that goes away shows in the write that fails; the event alone must not crash.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
// What is piped may be unread still when the work is done: end when it was taken, and not before.
const code = await main(process.argv.slice(2), parts, __VERSION__);
await Promise.all(
  [process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write('', done))),
);
process.exit(code);
