/**
 * Metadata of objects in a directory: one file per object under `.sealdrop-meta`. A convenience, never trusted; a
 * sidecar that was not written together with the body it finds is as good as none.
 */
import { createHash } from 'node:crypto';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { ObjectInfo } from '../ports.js';
import { readSmallFile } from './small-file.js';
import { openTemp, ownFolder, unlinkIfThere } from './temp-files.js';

const META_FOLDER = '.sealdrop-meta';
/** Many times what S3 takes as metadata. */
const MAX_BYTES = 64 * 1024;

/** What ties a sidecar to a body: `mtimeNs` survives the body's rename. */
export interface BodyStamp {
  readonly size: bigint;
  readonly mtimeNs: bigint;
}

export type Metadata = NonNullable<ObjectInfo['metadata']>;

function nameOf(key: string): string {
  return `${createHash('sha256').update(key).digest('hex')}.json`;
}

/** Metadata, and the body that they belong to. */
export interface Stamped {
  readonly stamp: BodyStamp;
  readonly metadata: Metadata;
}

/**
 * Written before the body is renamed into place: until then it matches no body and counts for nothing.
 * @param before what holds for as long as the body still has that stamp
 */
export async function writeSidecar(
  root: string,
  key: string,
  { stamp, metadata }: Stamped,
  before?: Stamped,
): Promise<void> {
  const folder = await ownFolder(root, META_FOLDER, 0o777);
  const { path, handle } = await openTemp(root);
  try {
    try {
      const content = {
        ...{ key, ...fieldsOf(stamp), metadata },
        ...(before && { before: { key, ...fieldsOf(before.stamp), metadata: before.metadata } }),
      };
      await handle.writeFile(JSON.stringify(content));
      await handle.chmod(0o666 & ~process.umask());
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(path, join(folder, nameOf(key)));
  } catch (error) {
    await unlinkIfThere(path).catch(() => undefined);
    throw error;
  }
}

const fieldsOf = ({ size, mtimeNs }: BodyStamp) => ({ size: Number(size), mtimeNs: mtimeNs.toString() });

export async function removeSidecar(root: string, key: string): Promise<void> {
  await unlinkIfThere(join(root, META_FOLDER, nameOf(key)));
}

/** The metadata of a body, or undefined where there is none that belongs to it. */
export async function readSidecar(
  root: string,
  key: string,
  stamp: BodyStamp,
): Promise<Metadata | undefined> {
  try {
    const { text } = await readSmallFile(join(root, META_FOLDER, nameOf(key)), MAX_BYTES);
    if (text === undefined) return undefined;
    const sidecar = JSON.parse(text) as { before?: unknown };
    return matching(sidecar, key, stamp) ?? matching(sidecar.before, key, stamp);
  } catch {
    return undefined;
  }
}

function matching(value: unknown, key: string, stamp: BodyStamp): Metadata | undefined {
  const sidecar = (value ?? {}) as Record<string, unknown>;
  if (sidecar.key !== key || sidecar.size !== Number(stamp.size)) return undefined;
  if (sidecar.mtimeNs !== stamp.mtimeNs.toString()) return undefined;
  const { metadata } = sidecar;
  if (typeof metadata !== 'object' || metadata === null) return undefined;
  const pairs = Object.entries(metadata).filter(
    (pair): pair is [string, string] => typeof pair[1] === 'string',
  );
  return Object.fromEntries(pairs);
}
