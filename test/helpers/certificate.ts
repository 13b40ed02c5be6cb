import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './run.js';

export interface Certificate {
  /** PEM; its own authority, so it is the CA bundle as well. */
  readonly certificate: string;
  readonly key: string;
}

/** A self-signed certificate for 127.0.0.1 and localhost, good for a day. */
export async function selfSigned(folder: string): Promise<Certificate> {
  await mkdir(folder, { recursive: true });
  const certificate = join(folder, 'public.crt');
  const key = join(folder, 'private.key');
  const names = 'subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:*.localhost';
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const what = ['-days', '1', '-subj', '/CN=sealdrop test', '-addext', names];
  await run('openssl', [...request, ...what, '-keyout', `${key}.part`, '-out', certificate]);
  // Older versions write SEC1 where the servers read PKCS#8.
  await run('openssl', ['pkcs8', '-topk8', '-nocrypt', '-in', `${key}.part`, '-out', `${key}.pkcs8`]);
  await rename(`${key}.pkcs8`, key);
  return { certificate, key };
}
