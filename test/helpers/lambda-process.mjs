// Runs a function's bundle as Lambda does: alone in a process, one event after the other, each with the longest time that
// there is. Started with a channel to its parent; the bundle's path is the argument.
import { pathToFileURL } from 'node:url';

const LONGEST = 15 * 60_000;

const { handler } = await import(pathToFileURL(process.argv[2]).href);

process.on('message', async (event) => {
  const end = Date.now() + LONGEST;
  const before = process.cpuUsage();
  const answer = await handler(event, { getRemainingTimeInMillis: () => end - Date.now() });
  const { user, system } = process.cpuUsage(before);
  process.send({ answer, cpuSeconds: (user + system) / 1e6 });
});
