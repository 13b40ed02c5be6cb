// Many small files: what a wrapped key and a few requests for each cost.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { BUCKET } from '../harness/lab.mjs';
import { measured } from '../harness/measured.mjs';
import { openRclone } from '../peers/rclone.mjs';
import { storeEnvironment } from '../peers/sealdrop.mjs';
import { PLAIN, takesPart } from '../peers/transfers.mjs';

const BYTES = 4096;
const PER_FOLDER = 100;

export const small = {
  title: 'Small files',
  about:
    'A tree of files of 4 KiB, 100 in a folder, to the same MinIO and back. Every round goes to a new place.',
  columns: ['seconds', 'files', 'cpuPerFile', 'peak'],
  repeat: 3,
  quickRepeat: 4,
  async *contests(context) {
    const { lab, options } = context;
    const count = options.files ?? (options.quick ? 500 : 10_000);
    const store = await lab.minio();
    const tree = makeTree(lab.at('tree'), count);
    const kinds = await openKinds(context, store);
    for (const way of ['put', 'get'])
      yield {
        name: `${way} ${count} files of 4 KiB`,
        peers: kinds.map((kind) => treePeer(context, { kind, way, tree, count, store })),
        comparisons: [
          { of: 'sealdrop', to: 'rclone crypt', by: 'speed', atLeast: 1 },
          { of: 'sealdrop', to: PLAIN, by: 'speed' },
          { of: 'sealdrop', to: PLAIN, by: 'cpu', guarded: options.quick },
        ],
      };
    rmSync(tree, { recursive: true });
  },
};

/** How each copies a tree: `place` is one that no other peer and round has. */
async function openKinds({ lab, builds, options }, store) {
  const keys = lab.keys();
  const ours = builds.flatMap(({ command, named }) => {
    const argv = (way, from, to, ...more) => [
      process.execPath,
      command,
      way,
      '-r',
      from,
      to,
      ...more,
      '--quiet',
    ];
    const at = (place) => `s3://${BUCKET}/${named('sealdrop').replaceAll(/\W/g, '-')}/${place}/`;
    const plain = (place) => `s3://${BUCKET}/${named(PLAIN).replaceAll(/\W/g, '-')}/${place}/`;
    return [
      {
        name: named('sealdrop'),
        put: (tree, place) => argv('put', `${tree}/`, at(place), '--public-key', keys.public),
        get: (tree, place) => argv('get', at(place), tree, '--private-key', keys.private),
      },
      {
        name: named(PLAIN),
        put: (tree, place) => argv('put', `${tree}/`, plain(place), '--format', 'plain', '--sse', 'none'),
        get: (tree, place) => argv('get', plain(place), tree, '--format', 'plain'),
      },
    ];
  });
  const theirs = options.quick ? [] : ['rclone', 'rclone crypt'].filter((name) => takesPart(options, name));
  if (theirs.length === 0) return ours;
  const { copy, env } = await openRclone(lab, store);
  const remote = { rclone: `store:${BUCKET}/rclone-`, 'rclone crypt': 'crypt:' };
  return [
    ...ours,
    ...theirs.map((name) => ({
      name,
      env,
      put: (tree, place) => copy(tree, remote[name] + place),
      get: (tree, place) => copy(remote[name] + place, tree),
    })),
  ];
}

function treePeer({ lab, options }, { kind, way, tree, count, store }) {
  const env = { ...storeEnvironment(lab, store), ...kind.env };
  const target = lab.at('tree-back');
  return {
    name: kind.name,
    async run({ round }) {
      if (way === 'get' && round === 1) await measured(kind.put(tree, 'back'), { env });
      const argv = way === 'put' ? kind.put(tree, `round-${round}`) : kind.get(target, 'back');
      if (way === 'get') mkdirSync(target);
      const { seconds, cpu, peak } = await measured(argv, { env, cores: options.cores });
      if (way === 'get') {
        assertCount(target, count);
        rmSync(target, { recursive: true });
      }
      return { bytes: count * BYTES, files: count, seconds, cpu, peak };
    },
  };
}

function makeTree(root, count) {
  for (let i = 0; i < count; i++) {
    const folder = join(root, `folder-${Math.floor(i / PER_FOLDER)}`);
    if (i % PER_FOLDER === 0) mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `file-${i}.bin`), randomBytes(BYTES));
  }
  return root;
}

function assertCount(folder, count) {
  const found = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  if (found.length !== count) throw new Error(`${found.length} of ${count} files came back`);
}
