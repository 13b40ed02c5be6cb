import type { Metafile } from 'esbuild';

export function bundleSdkAlone(
  what: 'clients' | 'requests',
  outdir: string,
): Promise<{ file: string; bytes: number }>;
export function loadedWith(metafile: Pick<Metafile, 'outputs'>, entries: readonly string[]): string[];
export function sizeOf(metafile: Pick<Metafile, 'outputs'>, files: readonly string[]): number;
