// What one core does of AES-256-GCM, with everything in its caches and nothing moved.
import { measured } from '../harness/measured.mjs';

const BLOCK = 16_384;

/** @param seconds that it counts for */
export function opensslPeer(name, { direction, seconds }) {
  const way = direction === 'decrypt' ? ['-decrypt'] : [];
  const argv = ['openssl', 'speed', '-mr', '-elapsed', ...way, '-seconds', seconds, '-bytes', BLOCK];
  return {
    name,
    async run() {
      const { output, cpu } = await measured([...argv, '-evp', 'aes-256-gcm'].map(String));
      // +F:0:AES-256-GCM:bytes a second
      const [, rate] = /^\+F:\d+:[^:]*:([\d.]+)/m.exec(output) ?? [];
      if (rate === undefined) throw new Error(`openssl speed said nothing that is understood:\n${output}`);
      return { bytes: Number(rate) * seconds, seconds, cpu };
    },
  };
}
