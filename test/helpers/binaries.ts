/** Where the servers of tests come from, on a machine that has none of them. */
import { access, chmod, mkdir, rename } from 'node:fs/promises';
import { constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { cacheFolder, withLock } from './cache.js';
import { run } from './run.js';

interface Binary {
  /** Names a path to it. */
  variable: string;
  /** Go package with its version. */
  source: string;
  image: string;
  /** Where the image may have it. */
  inImage: string[];
}

const BINARIES = {
  minio: {
    variable: 'SEALDROP_MINIO',
    source: 'github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c',
    image: 'minio/minio:RELEASE.2025-09-07T16-13-09Z',
    inImage: ['/usr/bin/minio', '/opt/bin/minio'],
  },
  versitygw: {
    variable: 'SEALDROP_VERSITYGW',
    source: 'github.com/versity/versitygw/cmd/versitygw@v1.8.0',
    image: 'versity/versitygw:v1.8.0',
    inImage: ['/app/versitygw', '/usr/local/bin/versitygw'],
  },
  /** For the benchmarks alone. */
  rclone: {
    variable: 'SEALDROP_RCLONE',
    source: 'github.com/rclone/rclone@v1.75.0',
    image: 'rclone/rclone:1.75.0',
    inImage: ['/usr/local/bin/rclone'],
  },
} as const satisfies Record<string, Binary>;

export type BinaryName = keyof typeof BINARIES;

const BUILD_TIME = 12 * 60_000;

/** The compiler collects its garbage less often: an eighth less time, and some memory more, for a server of MinIO's size. */
export const GO_BUILD = { GOGC: '800', CGO_ENABLED: '0' };

/** The path of a server's binary: named by its variable, on the PATH, cached, built, or out of an image. */
export async function binary(name: BinaryName): Promise<string> {
  const { variable } = BINARIES[name];
  const named = process.env[variable];
  if (named) return named;
  const found = (await onPath(name)) ?? (await executable(cached(name)));
  if (found !== undefined) return found;
  return withLock(join(cacheFolder(), 'bin', `.${name}.lock`), async () => {
    // Another process may have made it while this one waited.
    return (await executable(cached(name))) ?? obtain(name);
  });
}

const cached = (name: BinaryName): string => join(cacheFolder(), 'bin', name);

async function executable(path: string): Promise<string | undefined> {
  return access(path, constants.X_OK).then(
    () => path,
    () => undefined,
  );
}

async function onPath(name: string): Promise<string | undefined> {
  for (const folder of (process.env.PATH ?? '').split(delimiter).filter(Boolean)) {
    const path = await executable(join(folder, name));
    if (path !== undefined) return path;
  }
  return undefined;
}

async function obtain(name: BinaryName): Promise<string> {
  const failures: string[] = [];
  for (const way of [build, extract]) {
    try {
      return await way(name);
    } catch (error) {
      failures.push((error as Error).message);
    }
  }
  const { variable, source, image } = BINARIES[name];
  throw new Error(
    `no ${name} for the tests: install Go (it is built from ${source}), or start Docker (it is taken out of ${image}), or name a binary in ${variable}\n${failures.join('\n')}`,
  );
}

async function build(name: BinaryName): Promise<string> {
  const folder = join(cacheFolder(), 'bin');
  await mkdir(folder, { recursive: true });
  console.error(`building ${name} for the tests; this takes some minutes, once`);
  await run('go', ['install', '-ldflags=-s -w', '-gcflags=all=-dwarf=false', BINARIES[name].source], {
    env: { GOBIN: folder, ...GO_BUILD },
    timeout: BUILD_TIME,
  });
  return cached(name);
}

/** The binary itself, so that it is started as the others are. */
async function extract(name: BinaryName): Promise<string> {
  const { image, inImage } = BINARIES[name];
  // A client may be installed without a server.
  await run('docker', ['info'], { timeout: 10_000 });
  const id = (await run('docker', ['create', image], { timeout: BUILD_TIME })).trim();
  try {
    const target = cached(name);
    for (const path of inImage) {
      const copied = await run('docker', ['cp', '-L', `${id}:${path}`, `${target}.part`]).then(
        () => true,
        () => false,
      );
      if (!copied) continue;
      await chmod(`${target}.part`, 0o755);
      await rename(`${target}.part`, target);
      return target;
    }
    throw new Error(`${image} has no ${name} where it was looked for`);
  } finally {
    await run('docker', ['rm', '-f', id]);
  }
}
