// Encryption alone, from memory to memory, with nothing to read or to send.
import { fileURLToPath } from 'node:url';
import { measured } from '../harness/measured.mjs';
import { formatBytes, GIB, MIB } from '../harness/options.mjs';
import { opensslPeer } from '../peers/openssl.mjs';

const PROGRAM = fileURLToPath(new URL('../programs/envelope.mjs', import.meta.url));
const UNSIGNED_COMMITTING = 0x0478;
const LARGE_FRAMES = 'client-node, 1 MiB frames';
const DEFAULTS = 'client-node, defaults';
const OPENSSL = 'openssl speed, one core';

export const envelope = {
  title: 'Encryption alone',
  about:
    'From memory to memory: plaintext in pieces of 1 MiB, messages in pieces of 64 KiB. Every run is a process of its own.',
  columns: ['speed', 'cpu', 'peak'],
  repeat: 5,
  quickRepeat: 5,
  async *contests({ lab, options, builds }) {
    const keys = lab.keys();
    for (const bytes of options.sizes ?? [options.quick ? 512 * MIB : GIB])
      for (const direction of ['encrypt', 'decrypt']) {
        const peer = (name, job) => envelopePeer(name, { ...job, direction, bytes, keys }, options);
        yield {
          name: `${direction} ${formatBytes(bytes)}`,
          bytes,
          peers: [
            ...builds.map(({ named, library }) => peer(named('sealdrop'), { engine: 'sealdrop', library })),
            peer(LARGE_FRAMES, { engine: 'client-node', suiteId: UNSIGNED_COMMITTING, frameLength: MIB }),
            ...(options.quick ? [] : [peer(DEFAULTS, { engine: 'client-node' })]),
            opensslPeer(OPENSSL, { direction, seconds: options.quick ? 1 : 3 }),
          ],
          comparisons: [
            { of: 'sealdrop', to: LARGE_FRAMES, by: 'speed', atLeast: 1.5, guarded: true },
            { of: 'sealdrop', to: DEFAULTS, by: 'speed', atLeast: 10 },
            { of: 'sealdrop', to: OPENSSL, by: 'speed', atLeast: 0.5 },
            { of: 'sealdrop', to: LARGE_FRAMES, by: 'cpu', guarded: true },
            { of: 'sealdrop', to: OPENSSL, by: 'cpu', guarded: true },
          ],
        };
      }
  },
};

export function envelopePeer(name, job, { cores }) {
  return {
    name,
    async run() {
      const { output } = await measured([process.execPath, PROGRAM, JSON.stringify(job)], { cores });
      return JSON.parse(output);
    },
  };
}
