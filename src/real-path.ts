/** Where paths really lead, so that "inside" and "outside" are not decided by names. */
import { realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';

/** The real path of what may not be there yet. */
export async function realTarget(path: string): Promise<string> {
  const whole = resolve(path);
  return realpath(whole).catch(async (error: unknown) => {
    if (dirname(whole) === whole) throw error;
    return join(await realTarget(dirname(whole)), basename(whole));
  });
}

/** Whether a path is a folder or lies below it, links on the way followed; either may be missing. */
export async function isWithin(path: string, folder: string): Promise<boolean> {
  const [inner, outer] = await Promise.all([realTarget(path), realTarget(folder)]);
  return outer === sep || (inner + sep).startsWith(outer + sep);
}
