/** Whether the store's host is found, and whether its certificate is in order. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { connect } from 'node:tls';
import { systemCode } from '../errors.js';
import type { RawStore } from '../raw-store.js';
import { broken, note, ok, setting, warning, type Found } from './finding.js';

const CONNECT_TIME = 10_000;
const DAY = 86_400_000;
/** When an automatic renewal should long have happened. */
const SOON = 14 * DAY;

export async function checkName({ url, traits }: RawStore): Promise<Found> {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (isIP(host)) return note(`${host} is an address: no name to look up`);
  try {
    const found = await lookup(host, { all: true });
    return ok(`${host} is ${found.map(({ address }) => address).join(', ')}`);
  } catch (error) {
    const text = `the host ${host} is not found (${systemCode(error) ?? 'error'})`;
    // Few stores have a name for every bucket.
    if (traits.pathStyle === false) return setting(text, { pathStyle: true }, traits);
    return broken(text, 'check --endpoint-url and --region');
  }
}

export async function checkCertificate({ url, authorities }: RawStore, now = Date.now()): Promise<Found> {
  if (url.protocol === 'http:')
    return warning(
      'http: names, sizes and metadata are open to whoever is on the way, and SSE-C is impossible',
      'use https where the store has it',
    );
  try {
    const { protocol, until, issuer } = await handshake(url, authorities);
    const left = until.getTime() - now;
    if (left < SOON)
      return warning(
        `the certificate ends on ${until.toISOString().slice(0, 10)}`,
        "the store's operator has to renew it",
      );
    return ok(`${protocol}, certificate of ${issuer} until ${until.toISOString().slice(0, 10)}`);
  } catch (error) {
    const code = (error as { code?: string }).code ?? 'error';
    return broken(
      `no trusted connection (${code})`,
      'give the certificate of its authority: --ca-bundle FILE; or the port speaks no TLS',
    );
  }
}

async function handshake(
  url: URL,
  authorities: readonly string[] | undefined,
): Promise<{ protocol: string; until: Date; issuer: string }> {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  return new Promise((resolve, reject) => {
    const socket = connect({
      host,
      port: Number(url.port || 443),
      ...(isIP(host) ? {} : { servername: host }),
      ...(authorities && { ca: [...authorities] }),
    });
    socket.setTimeout(CONNECT_TIME, () =>
      socket.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })),
    );
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      const { valid_to, issuer } = socket.getPeerCertificate();
      const by = [issuer.O ?? issuer.CN ?? 'an unnamed authority'].flat()[0]!;
      resolve({ protocol: socket.getProtocol() ?? 'TLS', until: new Date(valid_to), issuer: by });
      socket.end();
    });
  });
}
