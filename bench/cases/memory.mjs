// Resident memory over the time of a transfer, at sizes far from each other.
import { execFileSync } from 'node:child_process';
import { formatBytes, GIB } from '../harness/options.mjs';
import { removeObjects, transferPeer } from '../peers/transfers.mjs';
import { sealdropPeer } from '../peers/sealdrop.mjs';

const LEAST = '64MiB';

export const memory = {
  title: 'Memory',
  about:
    'Resident memory of the whole process, looked at ten times a second; its peak as the kernel keeps it.',
  columns: ['seconds', 'cpu', 'peak'],
  repeat: 1,
  async *contests(context) {
    const { lab, options, builds } = context;
    const store = await lab.minio();
    const sizes = (options.sizes ?? [GIB, 10 * GIB]).toSorted((a, b) => a - b);
    const [build] = builds;
    const keys = lab.keys();
    const kinds = [{ label: '', extra: [] }];
    if (hasOption(build, '--memory'))
      kinds.push({ label: `, --memory ${LEAST}`, extra: ['--memory', LEAST] });
    const peers = [];
    for (const bytes of sizes)
      for (const { label, extra } of kinds)
        for (const way of ['put', 'get']) {
          const transfer = sealdropPeer('sealdrop', { build, keys, extra });
          const name = `${way} ${formatBytes(bytes)}${label}`;
          peers.push(withFile(context, { name, way, transfer, bytes, store, sample: 0.1 }));
        }
    lab.assertRoom(3 * sizes.at(-1));
    yield { name: 'memory over time', peers, comparisons: comparisons(sizes, kinds) };
    await removeObjects(store, [sealdropPeer('sealdrop', { build, keys })]);
    sizes.forEach(lab.forget);
  },
};

/** Files of one size after the other, so that no more than that has to fit on the disk. */
function withFile(context, job) {
  return {
    name: job.name,
    async run(round) {
      const source = await context.lab.file(job.bytes);
      return transferPeer(context, { ...job, source }).run(round);
    },
  };
}

function comparisons(sizes, kinds) {
  const [smallest, largest] = [sizes[0], sizes.at(-1)].map(formatBytes);
  return kinds.flatMap(({ label }) =>
    ['put', 'get'].flatMap((way) => [
      ...sizes.map((bytes) => ({
        of: `${way} ${formatBytes(bytes)}${label}`,
        by: 'peak',
        atMost: label === '' ? 200 : 140,
      })),
      ...(smallest === largest
        ? []
        : [{ of: `${way} ${largest}${label}`, to: `${way} ${smallest}${label}`, by: 'peak', atMost: 1.1 }]),
    ]),
  );
}

const hasOption = ({ command }, option) =>
  execFileSync(process.execPath, [command, 'put', '--help'], { encoding: 'utf8' }).includes(option);
