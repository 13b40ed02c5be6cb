#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8';

// What transfers leave behind dies at once. V8 would give it three times 16 MB all the same, which nothing here is faster with:
// from before anything else is loaded, which lets it grow already.
setFlagsFromString('--semi-space-growth-factor=1');
const { main } = await import('../src/cli/main.js');
const { parts } = await import('../src/compose.js');

// A reader that goes away shows in the write that fails; the event alone must not crash.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
// What is piped may be unread still when the work is done: end when it was taken, and not before.
const code = await main(process.argv.slice(2), parts, __VERSION__);
await Promise.all(
  [process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write('', done))),
);
process.exit(code);
