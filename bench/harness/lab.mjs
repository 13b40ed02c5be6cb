// What cases share: a folder, keys, files of random bytes, and a MinIO with TLS. Made when first asked for.
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeFile } from '../../test/helpers/proof-parts.mjs';
import { formatBytes, GIB, MIB } from './options.mjs';

export function openLab({ builds, helpers }) {
  const folder = mkdtempSync(join(tmpdir(), 'sealdrop-bench-'));
  const made = new Map();
  const once = (name, make) => {
    if (!made.has(name)) made.set(name, make());
    return made.get(name);
  };
  const stops = [];
  const at = (...names) => join(folder, ...names);
  // Nothing of the user's own configuration takes part.
  const home = at('home');
  mkdirSync(home);
  const startMinio = async (options) => {
    const minio = await helpers.startMinio(options);
    stops.push(() => minio.stop());
    await minio.createBucket(BUCKET);
    return minio;
  };
  const lab = {
    folder,
    at,
    helpers,
    env: { HOME: home, XDG_CONFIG_HOME: home, XDG_STATE_HOME: home, XDG_CACHE_HOME: home },
    keys: () =>
      once('keys', () => {
        execFileSync(process.execPath, [builds[0].command, 'keygen', at('keys'), '--quiet'], {
          stdio: 'inherit',
        });
        return { public: at('keys', 'public_key.pem'), private: at('keys', 'private_key.pem') };
      }),
    /** A file of so many random bytes. */
    file: (bytes) =>
      once(`file ${bytes}`, async () => {
        const path = at(`${formatBytes(bytes).replace(' ', '')}.bin`);
        await makeFile(path, bytes / MIB);
        return path;
      }),
    /** With a bucket of its own. */
    minio: () => once('minio', () => startMinio({ tls: true })),
    /** Over http, so that it can be listened to. */
    openMinio: () => once('open minio', () => startMinio({})),
    forget(bytes) {
      made.delete(`file ${bytes}`);
      rmSync(at(`${formatBytes(bytes).replace(' ', '')}.bin`), { force: true });
    },
    onClose: (stop) => void stops.push(stop),
    /** Throws where the disk has no room for so many bytes and some more. */
    assertRoom(bytes) {
      const { bavail, bsize } = statfsSync(folder);
      if (bavail * bsize < bytes + GIB) throw new Error(`${tmpdir()} has no room for ${formatBytes(bytes)}`);
    },
    async close() {
      for (const stop of stops.reverse()) await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return lab;
}

export const BUCKET = 'bench';

/** Throws unless both files hold the same bytes. */
export async function assertSame(path, original) {
  if (!existsSync(path) || statSync(path).size !== statSync(original).size)
    throw new Error(`${path} is not as long as what was stored`);
  const file = openSync(original, 'r');
  try {
    for await (const piece of createReadStream(path, { highWaterMark: MIB })) {
      const wanted = Buffer.alloc(piece.length);
      readSync(file, wanted, 0, piece.length, null);
      if (!wanted.equals(piece)) throw new Error(`${path} does not hold what was stored`);
    }
  } finally {
    closeSync(file);
  }
}
