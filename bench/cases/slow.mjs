// A store far away: a round trip of 50 ms, 30 MB/s over one connection and 120 MB/s over all.
import { formatBytes, GIB } from '../harness/options.mjs';
import { SLOW, slowed } from '../harness/slow-store.mjs';
import { openTransfers, PLAIN, removeObjects, transferPeer } from '../peers/transfers.mjs';

export const slow = {
  title: 'A slow store',
  about: `The same MinIO behind a proxy: a round trip takes ${2 * SLOW.latency} ms, a connection carries ${SLOW.perConnection / 1e6} MB/s and all of them ${SLOW.overall / 1e6} MB/s, each way.`,
  columns: ['seconds', 'speed', 'share', 'cpu', 'peak'],
  repeat: 3,
  async *contests(context) {
    const { lab, options } = context;
    const store = await slowed(lab, await lab.minio());
    for (const bytes of options.sizes ?? [GIB]) {
      const transfers = await openTransfers(context, { store, bytes, others: true });
      lab.assertRoom((transfers.length + 2) * bytes);
      const source = await lab.file(bytes);
      for (const way of ['put', 'get'])
        yield {
          name: `slow store, ${way} ${formatBytes(bytes)}`,
          bytes,
          peers: transfers.map((transfer) =>
            ofTheLine(transferPeer(context, { way, transfer, source, bytes, store })),
          ),
          comparisons: [
            { of: 'sealdrop', to: PLAIN, by: 'speed', atLeast: 0.97 },
            { of: 'sealdrop', by: 'share', atLeast: 0.9 },
            { of: 'sealdrop', to: 'rclone crypt', by: 'speed' },
          ],
        };
      await removeObjects(store, transfers);
      lab.forget(bytes);
    }
  },
};

/** With how much of what the line carries was used. */
function ofTheLine({ name, run }) {
  return {
    name,
    async run(round) {
      const figures = await run(round);
      return { ...figures, share: figures.bytes / figures.seconds / SLOW.overall };
    },
  };
}
