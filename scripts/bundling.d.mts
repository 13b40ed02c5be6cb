import type { BuildOptions } from 'esbuild';

export const selfContained: BuildOptions;
export const ofFunctions: BuildOptions & { metafile: true };
