// Half an hour of mixed transfers in one process: what grows, if anything.
import { fileURLToPath } from 'node:url';
import { BUCKET } from '../harness/lab.mjs';
import { measured } from '../harness/measured.mjs';
import { median } from '../harness/rounds.mjs';
import { storeEnvironment } from '../peers/sealdrop.mjs';

const PROGRAM = fileURLToPath(new URL('../programs/soak.mjs', import.meta.url));
const MINUTES = 30;
// What a sample holds, after its time.
const SEEN = ['rss', 'heap', 'external', 'handles', 'descriptors'];
/** The medians of the last third, to those of the second. */
const FLAT = 1.1;

export const soak = {
  title: 'A long run',
  about:
    'Puts, gets and reads of 0 bytes to 100 MiB, three at a time, one in seven broken off, in one process by the library. What it has open and holds in memory after a collection, in the last third of the time to the second.',
  columns: [
    'operations',
    'rssGrowth',
    'heapGrowth',
    'handlesGrowth',
    'descriptorsGrowth',
    'rejections',
    'peak',
  ],
  repeat: 1,
  onRequest: true,
  async *contests({ lab, options, builds }) {
    const store = await lab.minio();
    const minutes = options.minutes ?? MINUTES;
    const job = {
      bucket: BUCKET,
      keys: lab.keys(),
      minutes,
      folder: lab.at('soak'),
      store: { endpointUrl: store.endpoint, region: store.region, caBundle: store.caBundle },
    };
    yield {
      name: `${minutes} minutes of mixed transfers`,
      peers: builds.map(({ named, library }) => ({
        name: named('sealdrop'),
        run: () => soakOnce({ ...job, library }, storeEnvironment(lab, store)),
      })),
      comparisons: [
        ...['rssGrowth', 'heapGrowth', 'handlesGrowth', 'descriptorsGrowth'].map((by) => ({
          of: 'sealdrop',
          by,
          atMost: FLAT,
        })),
        { of: 'sealdrop', by: 'rejections', atMost: 0 },
      ],
    };
  },
};

async function soakOnce(job, env) {
  const argv = [process.execPath, '--expose-gc', PROGRAM, JSON.stringify(job)];
  const { output, seconds, cpu, peak } = await measured(argv, { env, longest: (job.minutes + 10) * 60_000 });
  const { counts, rejections, samples } = JSON.parse(output);
  const operations = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const growth = Object.fromEntries(SEEN.map((name, i) => [`${name}Growth`, growthOf(samples, i + 1)]));
  return { seconds, cpu, peak, operations, counts, rejections, ...growth, samples };
}

function growthOf(samples, column) {
  const third = Math.floor(samples.length / 3);
  const middle = (from, to) => median(samples.slice(from, to).map((sample) => sample[column]));
  return middle(2 * third) / middle(third, 2 * third);
}
