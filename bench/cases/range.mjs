// A little out of the middle of a large object: what is asked for, and what comes.
import { rmSync, statSync } from 'node:fs';
import { measured } from '../harness/measured.mjs';
import { BUCKET } from '../harness/lab.mjs';
import { formatBytes, GIB, MIB } from '../harness/options.mjs';
import { removeObjects } from '../peers/transfers.mjs';
import { sealdropPeer, storeEnvironment } from '../peers/sealdrop.mjs';

export const range = {
  title: 'A range of an object',
  about:
    'What a proxy in front of the store sees, headers and all, over http; 1 MiB from a place that no frame begins at.',
  columns: ['seconds', 'cpuSeconds', 'received', 'requests', 'peak'],
  repeat: 3,
  async *contests(context) {
    const { lab, options, builds } = context;
    const keys = lab.keys();
    const store = await lab.openMinio();
    const proxy = await lab.helpers.startFaultProxy(store.endpoint);
    lab.onClose(() => proxy.close());
    for (const bytes of options.sizes ?? [10 * GIB]) {
      lab.assertRoom(2 * bytes);
      const source = await lab.file(bytes);
      const transfers = builds.map((build) => sealdropPeer('sealdrop', { build, keys }));
      for (const { put } of transfers) await measured(put(source), { env: storeEnvironment(lab, store) });
      lab.forget(bytes);
      yield {
        name: `1 MiB out of ${formatBytes(bytes)}`,
        peers: transfers.map((transfer) => rangePeer(context, { transfer, bytes, store, proxy })),
        comparisons: [
          { of: 'sealdrop', by: 'received', atMost: 3 },
          { of: 'sealdrop', by: 'requests', atMost: 3 },
        ],
      };
      await removeObjects(store, transfers);
    }
  },
};

function rangePeer({ lab }, { transfer, bytes, store, proxy }) {
  const env = storeEnvironment(lab, { ...store, endpoint: proxy.endpoint });
  const target = lab.at('range.bin');
  const first = bytes / 2 - 123_456;
  return {
    name: transfer.name,
    async run() {
      proxy.reset();
      const before = proxy.transferred();
      const figures = await measured([...transfer.get(target), '--range', `${first}-${first + MIB - 1}`], {
        env,
      });
      if (statSync(target).size !== MIB) throw new Error(`the range of ${BUCKET} is not of 1 MiB`);
      rmSync(target);
      return {
        ...figures,
        bytes: MIB,
        received: proxy.transferred() - before,
        requests: proxy.requests.length,
      };
    },
  };
}
