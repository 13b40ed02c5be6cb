// One file to a MinIO on the same machine and back, over TLS, by whole programs: their start is counted.
import { formatBytes, GIB, MIB } from '../harness/options.mjs';
import {
  GUIDE,
  LARGEST_OF_GUIDE,
  openTransfers,
  PLAIN,
  removeObjects,
  transferPeer,
} from '../peers/transfers.mjs';

export const put = transferCase('put', 'A file to a store');
export const get = transferCase('get', 'A file from a store');

function transferCase(way, title) {
  return {
    title,
    about:
      'MinIO on the same machine, TLS, the payload unsigned where a program can; from the start of each program to its end.',
    columns: ['seconds', 'speed', 'cpu', 'peak', 'stored'],
    repeat: 5,
    quickRepeat: 4,
    async *contests(context) {
      const { lab, options } = context;
      const store = await lab.minio();
      for (const bytes of options.sizes ?? (options.quick ? [256 * MIB] : [MIB, 256 * MIB, GIB])) {
        const transfers = await openTransfers(context, { store, bytes, others: !options.quick });
        lab.assertRoom((transfers.length + 2) * bytes);
        const source = await lab.file(bytes);
        yield {
          name: `${way} ${formatBytes(bytes)}`,
          bytes,
          peers: transfers.map((transfer) => transferPeer(context, { way, transfer, source, bytes, store })),
          comparisons: comparisons(bytes, options),
        };
        await removeObjects(store, transfers);
        lab.forget(bytes);
      }
    },
  };
}

function comparisons(bytes, { quick }) {
  const large = bytes >= GIB;
  return [
    { of: 'sealdrop', to: PLAIN, by: 'speed', guarded: quick, ...(large && { atLeast: 0.85 }) },
    { of: 'sealdrop', to: PLAIN, by: 'cpu', guarded: quick },
    { of: 'sealdrop', to: PLAIN, by: 'cpu', difference: true, ...(large && { atMost: 0.8 }) },
    { of: 'sealdrop', to: 'rclone crypt', by: 'speed', ...(large && { atLeast: 1.5 }) },
    { of: 'sealdrop', to: 'rclone', by: 'speed', ...(large && { atLeast: 1 }) },
    { of: 'sealdrop', to: GUIDE, by: 'speed', ...(bytes === LARGEST_OF_GUIDE && { atLeast: 2.5 }) },
    { of: 'sealdrop', by: 'peak', ...(large && { atMost: 200 }) },
  ];
}
