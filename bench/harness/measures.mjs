import { GIB, MIB } from './options.mjs';

/** What is told of a run: `bytes` of plaintext in `seconds`, with `cpu` seconds and a `peak` of resident memory in bytes. */
export const MEASURES = {
  seconds: { label: 's', digits: 2, better: 'lower', of: ({ seconds }) => seconds },
  speed: { label: 'MiB/s', digits: 0, better: 'higher', of: ({ bytes, seconds }) => bytes / MIB / seconds },
  cpu: { label: 'CPU s/GiB', digits: 2, better: 'lower', of: ({ bytes, cpu }) => cpu / (bytes / GIB) },
  peak: { label: 'peak MB', digits: 0, better: 'lower', of: ({ peak }) => peak / 1e6 },
  files: { label: 'files/s', digits: 0, better: 'higher', of: ({ files, seconds }) => files / seconds },
  cpuPerFile: {
    label: 'CPU ms/file',
    digits: 2,
    better: 'lower',
    of: ({ cpu, files }) => (1000 * cpu) / files,
  },
  share: { label: 'of the line', digits: 2, better: 'higher', of: ({ share }) => share },
  stored: { label: 'stored', digits: 4, better: 'lower', of: ({ bytes, stored }) => stored / bytes },
  cpuSeconds: { label: 'CPU s', digits: 2, better: 'lower', of: ({ cpu }) => cpu },
  received: { label: 'MiB moved', digits: 2, better: 'lower', of: ({ received }) => received / MIB },
  requests: { label: 'requests', digits: 0, better: 'lower', of: ({ requests }) => requests },
  operations: { label: 'transfers', digits: 0, better: 'higher', of: ({ operations }) => operations },
  rejections: { label: 'unhandled', digits: 0, better: 'lower', of: ({ rejections }) => rejections },
  rssGrowth: { label: 'resident', digits: 2, better: 'lower', of: ({ rssGrowth }) => rssGrowth },
  heapGrowth: { label: 'heap', digits: 2, better: 'lower', of: ({ heapGrowth }) => heapGrowth },
  handlesGrowth: { label: 'handles', digits: 2, better: 'lower', of: ({ handlesGrowth }) => handlesGrowth },
  descriptorsGrowth: {
    label: 'descriptors',
    digits: 2,
    better: 'lower',
    of: ({ descriptorsGrowth }) => descriptorsGrowth,
  },
};
