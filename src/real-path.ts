/** Where paths really lead, so that "inside" and "outside" are not decided by names. */
import { readlink, realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';

/** As many as Linux follows on the way to one file. */
const MAX_LINKS = 40;

/** The real path of what may not be there yet: where writing to it, through links that lead nowhere, would put it. */
export async function realTarget(path: string, links = MAX_LINKS): Promise<string> {
  return realpath(resolve(path)).catch(async () => (await placesOf(path, links)).at(-1)!);
}

/** Whatever is put into one of them becomes what the path means: its own place, and where links in it lead, one by one. */
export async function placesOf(path: string, links = MAX_LINKS): Promise<string[]> {
  const whole = resolve(path);
  const folder = dirname(whole);
  if (folder === whole) return [whole];
  const place = join(await realTarget(folder, links), basename(whole));
  const link = links === 0 ? undefined : await readlink(place).catch(() => undefined);
  if (link === undefined) return [place];
  return [place, ...(await placesOf(resolve(dirname(place), link), links - 1))];
}

/** Whether a path is a folder or lies below it, links on the way followed; either may be missing. */
export async function isWithin(path: string, folder: string): Promise<boolean> {
  const [inner, outer] = await Promise.all([realTarget(path), realTarget(folder)]);
  return outer === sep || (inner + sep).startsWith(outer + sep);
}
