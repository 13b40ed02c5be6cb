/** Gets that go on where they were broken off: what the command asks and says of them. */
import { dirname } from 'node:path';
import { printable, shellQuoted } from '../printable.js';
import type { KeptEvent } from '../transfer/kept/get-kept.js';
import type { KeptFile } from '../transfer/kept/kept-file.js';
import { formatBytes, type Output } from './output.js';

export function sayOfResumedGet(event: KeptEvent, output: Output): void {
  if (event.kind === 'restarted') output.note(`an earlier get is not gone on with: ${event.why}`);
  else
    output.note(
      `going on with an earlier get: ${formatBytes(event.there)} of ${formatBytes(event.size)} are there`,
    );
}

export function sayOfKept({ kept, names }: KeptFile, output: Output): void {
  if (kept === 0) return;
  const { state, content } = names;
  output.note(
    `${formatBytes(kept)} stay in ${printable(dirname(content))}: the same command goes on from there; this clears them: rm ${shellQuoted(content)} ${shellQuoted(state)}`,
  );
}
