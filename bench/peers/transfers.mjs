// Whoever can move a file to the store and back, and a run of each that is measured.
import { rmSync } from 'node:fs';
import { DeleteObjectCommand, HeadObjectCommand } from '@aws-sdk/client-s3';
import { assertSame, BUCKET } from '../harness/lab.mjs';
import { measured } from '../harness/measured.mjs';
import { MIB } from '../harness/options.mjs';
import { openGuide } from './guide.mjs';
import { openRclone, RCLONE_KINDS } from './rclone.mjs';
import { SEALDROP_KINDS, sealdropPeer, storeEnvironment } from './sealdrop.mjs';

export const PLAIN = 'sealdrop plain';
export const GUIDE = 'guide (Python)';
// It has more than twice the file in memory.
export const LARGEST_OF_GUIDE = 256 * MIB;

export const takesPart = ({ peers }, name) => peers?.some((start) => name.startsWith(start)) ?? true;

/** @param others whether other programs than sealdrop take part */
export async function openTransfers({ lab, builds, options }, { store, bytes, others }) {
  const keys = lab.keys();
  const extra = options.memory === undefined ? [] : ['--memory', options.memory];
  const ours = builds.flatMap((build) =>
    SEALDROP_KINDS.map((kind) => sealdropPeer(kind, { build, keys, extra })),
  );
  // Nothing is built or installed for a peer that takes no part.
  const wanted = (names) => others && names.some((name) => takesPart(options, name));
  const rclone = wanted(RCLONE_KINDS) ? await openRclone(lab, store) : undefined;
  return [
    ...ours,
    ...(rclone ? RCLONE_KINDS.map((kind) => rclone.peer(kind)) : []),
    ...(bytes <= LARGEST_OF_GUIDE && wanted([GUIDE]) ? [await openGuide(lab, store)] : []),
  ].filter(({ name }) => takesPart(options, name));
}

/**
 * @param job `way` (put or get), `transfer`, `source` (a file), its `bytes`, `store`, and `sample` as of `measured`
 * @returns a peer of a contest
 */
export function transferPeer(context, { name, way, transfer, ...job }) {
  const run = way === 'put' ? putOnce : getOnce;
  return { name: name ?? transfer.name, run: ({ round }) => run(context, { transfer, round, ...job }) };
}

async function putOnce(context, { transfer, source, bytes, store, sample }) {
  const figures = await runTransfer(context, transfer, transfer.put(source), { store, sample });
  const object = { Bucket: BUCKET, Key: transfer.object };
  const { ContentLength: stored } = await store.client.send(new HeadObjectCommand(object));
  return { bytes, ...figures, stored };
}

async function getOnce(context, { transfer, source, bytes, store, sample, round }) {
  const target = context.lab.at('target.bin');
  if (round === 1) await runTransfer(context, transfer, transfer.put(source), { store });
  const figures = await runTransfer(context, transfer, transfer.get(target), { store, sample });
  if (round === 1) await assertSame(target, source);
  rmSync(target);
  return { bytes, ...figures };
}

async function runTransfer({ lab, options }, { env, cwd }, argv, { store, sample }) {
  const settings = { cwd, sample, cores: options.cores, env: { ...storeEnvironment(lab, store), ...env } };
  return measured(argv, settings);
}

export async function removeObjects(store, transfers) {
  for (const { object } of transfers)
    await store.client.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: object }));
}
