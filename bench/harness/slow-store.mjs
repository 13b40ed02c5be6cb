import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const PROXY = fileURLToPath(new URL('../programs/slow-proxy.mjs', import.meta.url));

/** 50 ms there and back. */
export const SLOW = { latency: 25, perConnection: 30e6, overall: 120e6 };

/** The same store behind a slow way; it ends with the lab. */
export async function slowed(lab, store) {
  const { port } = new URL(store.endpoint);
  const child = spawn(process.execPath, [PROXY, JSON.stringify({ port: Number(port), ...SLOW })], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  lab.onClose(() => child.stdin.end());
  const [listening] = await once(child.stdout, 'data');
  return { ...store, endpoint: `https://127.0.0.1:${String(listening).trim()}` };
}
