// One file to a MinIO on the same machine and back, over TLS, by whole programs: their start is counted.
import { rmSync } from 'node:fs';
import { DeleteObjectCommand, HeadObjectCommand } from '@aws-sdk/client-s3';
import { assertSame, BUCKET } from '../harness/lab.mjs';
import { measured } from '../harness/measured.mjs';
import { formatBytes, GIB, MIB } from '../harness/options.mjs';
import { openGuide } from '../peers/guide.mjs';
import { openRclone, RCLONE_KINDS } from '../peers/rclone.mjs';
import { SEALDROP_KINDS, sealdropPeer, storeEnvironment } from '../peers/sealdrop.mjs';

// More is in its memory at once, several times over.
const LARGEST_OF_GUIDE = 256 * MIB;
const GUIDE = 'guide (Python)';
const PLAIN = 'sealdrop plain';

export const put = transferCase('put', 'A file to a store');
export const get = transferCase('get', 'And back');

function transferCase(way, title) {
  return {
    title,
    about: 'MinIO on the same machine, TLS, the payload unsigned; from the start of each program to its end.',
    columns: ['seconds', 'speed', 'cpu', 'peak', 'stored'],
    repeat: 5,
    async *contests(context) {
      const { lab, options } = context;
      for (const bytes of options.sizes ?? (options.quick ? [256 * MIB] : [MIB, 256 * MIB, GIB])) {
        const transfers = await openTransfers(context, bytes);
        lab.assertRoom((transfers.length + 2) * bytes);
        const source = await lab.file(bytes);
        const run = way === 'put' ? putting : getting;
        const peers = [];
        for (const transfer of transfers) peers.push(await run(context, { transfer, source, bytes }));
        yield {
          name: `${way} ${formatBytes(bytes)}`,
          bytes,
          peers,
          comparisons: comparisons(bytes, context),
        };
        for (const { object } of transfers) await remove(await lab.minio(), object);
        lab.forget(bytes);
      }
    },
  };
}

async function openTransfers({ lab, builds, options }, bytes) {
  const minio = await lab.minio();
  const keys = lab.keys();
  const extra = options.memory === undefined ? [] : ['--memory', options.memory];
  const ours = builds.flatMap((build) =>
    SEALDROP_KINDS.map((kind) => sealdropPeer(kind, { build, keys, extra })),
  );
  const wanted = (names) => !options.quick && names.some((name) => isWanted(name, options));
  const rclone = wanted(RCLONE_KINDS) ? await openRclone(lab, minio) : undefined;
  return [
    ...ours,
    ...(rclone ? RCLONE_KINDS.map((kind) => rclone.peer(kind)) : []),
    ...(bytes <= LARGEST_OF_GUIDE && wanted([GUIDE]) ? [await openGuide(lab, minio)] : []),
  ].filter(({ name }) => isWanted(name, options));
}

/** Before anything is prepared for a peer that doesn't take part. */
const isWanted = (name, { peers }) => peers?.some((start) => name.startsWith(start)) ?? true;

function comparisons(bytes, { options }) {
  const large = bytes >= GIB;
  return [
    { of: 'sealdrop', to: PLAIN, by: 'speed', ...(large && { atLeast: 0.85 }) },
    { of: 'sealdrop', to: PLAIN, by: 'cpu', difference: true, ...(large && { atMost: 0.8 }) },
    { of: 'sealdrop', to: PLAIN, by: 'cpu', guarded: options.quick },
    { of: 'sealdrop', to: 'rclone crypt', by: 'speed', ...(large && { atLeast: 1.5 }) },
    { of: 'sealdrop', to: 'rclone', by: 'speed', ...(large && { atLeast: 1 }) },
    { of: 'sealdrop', to: GUIDE, by: 'speed', ...(bytes === LARGEST_OF_GUIDE && { atLeast: 2.5 }) },
    { of: 'sealdrop', by: 'peak', ...(large && { atMost: 200 }) },
  ];
}

async function putting(context, { transfer, source, bytes }) {
  const { lab } = context;
  const minio = await lab.minio();
  return {
    name: transfer.name,
    async run() {
      const figures = await runProgram(context, transfer, transfer.put(source));
      const { ContentLength: stored } = await minio.client.send(
        new HeadObjectCommand({ Bucket: BUCKET, Key: transfer.object }),
      );
      return { bytes, ...figures, stored };
    },
  };
}

async function getting(context, { transfer, source, bytes }) {
  const target = context.lab.at('target.bin');
  await runProgram(context, transfer, transfer.put(source));
  return {
    name: transfer.name,
    async run({ round }) {
      rmSync(target, { force: true });
      const figures = await runProgram(context, transfer, transfer.get(target));
      if (round === 1) await assertSame(target, source);
      rmSync(target);
      return { bytes, ...figures };
    },
  };
}

async function runProgram({ lab, options }, { env, cwd }, argv) {
  const { seconds, cpu, peak } = await measured(argv, {
    cwd,
    cores: options.cores,
    env: { ...storeEnvironment(lab, await lab.minio()), ...env },
  });
  return { seconds, cpu, peak };
}

async function remove(minio, object) {
  await minio.client.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: object }));
}
