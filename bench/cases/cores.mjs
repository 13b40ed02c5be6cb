// Encryption alone on one core and on more.
import { availableParallelism } from 'node:os';
import { formatBytes, GIB } from '../harness/options.mjs';
import { envelopePeer } from './envelope.mjs';

export const cores = {
  title: 'More cores',
  about: 'Encryption alone, as above, held to so many cores.',
  columns: ['seconds', 'speed', 'cpu', 'peak'],
  repeat: 5,
  async *contests({ lab, options, builds }) {
    const keys = lab.keys();
    const counts = [1, 2, 4, 8].filter((count) => count <= availableParallelism());
    for (const bytes of options.sizes ?? [GIB])
      for (const direction of ['encrypt', 'decrypt'])
        yield {
          name: `${direction} ${formatBytes(bytes)} on more cores`,
          peers: builds.flatMap(({ named, library }) =>
            counts.map((count) =>
              envelopePeer(
                named(nameOf(count)),
                { engine: 'sealdrop', library, direction, bytes, keys },
                { cores: Array.from({ length: count }, (_, i) => i) },
              ),
            ),
          ),
          comparisons: counts
            .slice(1)
            .map((count) => ({ of: nameOf(count), to: nameOf(1), by: 'speed', atLeast: 1 })),
        };
  },
};

const nameOf = (count) => `sealdrop on ${count} ${count === 1 ? 'core' : 'cores'}`;
