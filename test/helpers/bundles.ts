/** What the build has noted of the functions' bundles, and their code. */
import type { Metafile } from 'esbuild';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadedWith } from './sdk-alone.mjs';

/** Every function: a folder in lambda/. */
export const functionNames = (): string[] =>
  readdirSync('lambda', { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);

export const metafileOf = (name: string): Metafile =>
  JSON.parse(readFileSync(`dist/lambda-inputs/${name}.json`, 'utf8'));

/** All that was looked at. */
export const inputsOf = (name: string): string[] => Object.keys(metafileOf(name).inputs);

/** Files of code, as the metafile calls them: index.mjs, and each of its chunks. */
export const codeFilesOf = (name: string): string[] =>
  Object.keys(metafileOf(name).outputs).filter((file) => file.endsWith('.mjs'));

/** The one that begins with this module, which something imports dynamically; or the handler. */
export function fileOf(name: string, entryPoint = `lambda/${name}/index.ts`): string {
  const { outputs } = metafileOf(name);
  const found = Object.keys(outputs).find((file) => outputs[file]!.entryPoint === entryPoint);
  if (found === undefined) throw new Error(`${name} has no file for ${entryPoint}`);
  return found;
}

/** What is loaded when it starts, without what it imports while it does; and with the modules named. */
export const loadedOf = (name: string, ...entryPoints: string[]): string[] =>
  loadedWith(metafileOf(name), [fileOf(name), ...entryPoints.map((entry) => fileOf(name, entry))]);

/** Of what was looked at, what has code in these files. */
export function keptIn(name: string, files = codeFilesOf(name)): string[] {
  const { outputs } = metafileOf(name);
  const kept = files.flatMap((file) =>
    Object.entries(outputs[file]!.inputs).flatMap(([input, { bytesInOutput }]) =>
      bytesInOutput > 0 ? [input] : [],
    ),
  );
  return [...new Set(kept)];
}

/** The metafile names the folder that was built in. */
export const pathOf = (name: string, file: string): string =>
  join('dist/lambda', name, file.slice(file.indexOf(`/lambda/${name}/`) + `/lambda/${name}/`.length));

/** The code of all of its files. */
export const codeOf = (name: string): string =>
  codeFilesOf(name)
    .map((file) => readFileSync(pathOf(name, file), 'utf8'))
    .join('\n');
