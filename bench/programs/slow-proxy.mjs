// A slow way to a store: passes TCP on with a latency and no faster than it is told. In a process of its own, so that it takes no turn
// of what is measured. It ends with its standard input.
// Usage: slow-proxy.mjs JOB, a JSON object: port of the store, milliseconds each way, bytes a second of a connection and of all
// together (each way has its own). Prints the port that it listens on.
import { connect, createServer } from 'node:net';

const { port, latency, perConnection, overall } = JSON.parse(process.argv[2]);
// More than this ahead of what the line carries, and the sender waits, as for a full buffer of a router.
const AHEAD = 20;

const line = (rate) => ({ rate, free: 0 });
const everything = { up: line(overall), down: line(overall) };

const server = createServer({ pauseOnConnect: true, noDelay: true }, (client) => {
  // The handshake took a round trip.
  setTimeout(() => {
    const store = connect({ port, host: '127.0.0.1', noDelay: true });
    carry(client, store, everything.up);
    carry(store, client, everything.down);
    client.resume();
  }, 2 * latency);
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.on('end', () => process.exit()).resume();

function carry(from, to, shared) {
  const own = line(perConnection);
  const deliver = inOrder();
  from.on('data', (bytes) => {
    const now = performance.now();
    const sent = Math.max(occupy(own, now, bytes.length), occupy(shared, now, bytes.length));
    deliver(sent + latency, () => to.destroyed || to.write(bytes));
    if (sent - now < AHEAD) return;
    from.pause();
    setTimeout(() => from.resume(), sent - now - AHEAD / 2);
  });
  from.on('end', () => deliver(0, () => to.end()));
  from.on('error', () => to.destroy());
  from.on('close', () => deliver(0, () => to.destroySoon()));
}

/** Runs each action at its time at the earliest, and never before those that were given earlier: timers alone don't promise that. */
function inOrder() {
  const waiting = [];
  const next = () => {
    while (waiting.length > 0 && waiting[0].due <= performance.now()) waiting.shift().action();
    if (waiting.length > 0) setTimeout(next, waiting[0].due - performance.now());
  };
  return (due, action) => {
    waiting.push({ due, action });
    if (waiting.length === 1) setTimeout(next, due - performance.now());
  };
}

/** @returns when the last of so many bytes has gone, in milliseconds */
function occupy(line, now, bytes) {
  line.free = Math.max(line.free, now) + (bytes / line.rate) * 1000;
  return line.free;
}
