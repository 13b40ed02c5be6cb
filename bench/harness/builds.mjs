// The builds of sealdrop that are measured: this one, or those that --dist names, side by side.
import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

export function openBuilds(named, root) {
  const builds = (named.length === 0 ? [`this=${root}`] : named).map(read);
  const names = new Set(builds.map(({ name }) => name));
  if (names.size < builds.length) throw new Error('two builds have one name: --dist NAME=DIR');
  return builds.map(({ name, dist }, i) => ({
    name,
    command: join(dist, 'bin/sealdrop.js'),
    library: join(dist, 'index.js'),
    /** The first is `sealdrop`, others `sealdrop@NAME`. */
    named: (peer) => (i === 0 ? peer : peer.replace(/^sealdrop/, `sealdrop@${name}`)),
  }));
}

/** A folder that holds `dist`, or is it. */
function read(text) {
  const [, given, place] = /^(?:([\w.-]+)=)?(.+)$/.exec(text);
  const folder = resolve(place);
  const dist = existsSync(join(folder, 'dist/bin/sealdrop.js')) ? join(folder, 'dist') : folder;
  if (!existsSync(join(dist, 'bin/sealdrop.js')))
    throw new Error(`${place} holds no build: run npm run build there`);
  return { name: given ?? basename(basename(dist) === 'dist' ? dirname(dist) : dist), dist };
}
