/** The options of `sealdrop serve` that have to do with the API, and what only makes sense together. */
import { isIP } from 'node:net';
import { Option, type Command } from 'commander';
import { SealdropError } from '../errors.js';
import { prefixProblem } from '../gateway/api/principal.js';
import { printable } from '../printable.js';

export interface ApiOptions {
  listen?: string;
  tokenFile?: string;
  tlsCert?: string;
  tlsKey?: string;
  behindProxy?: boolean;
  publicUrl?: string;
  allowDelete?: boolean;
  decryptWith?: string;
  decryptPrefix: string[];
}

export function apiOptions(command: Command): Command {
  return command
    .addOption(new Option('--listen <host:port>', 'serve the API too (docs/api.md)').env('SEALDROP_LISTEN'))
    .addOption(
      new Option('--token-file <file>', 'who may call the API: lines PREFIX/ TOKEN').env(
        'SEALDROP_TOKEN_FILE',
      ),
    )
    .addOption(new Option('--tls-cert <file>', 'certificate of the API, PEM'))
    .addOption(new Option('--tls-key <file>', 'its key, PEM'))
    .addOption(new Option('--behind-proxy', 'serve http beyond this machine: a proxy in front speaks TLS'))
    .addOption(new Option('--public-url <url>', 'where clients find the API, for the URLs that it hands out'))
    .addOption(new Option('--allow-delete', 'the API may delete objects'))
    .addOption(new Option('--decrypt-with <file>', 'private key with which the API decrypts small objects'))
    .addOption(
      new Option('--decrypt-prefix <prefix/>', 'only objects under it are decrypted; may be repeated')
        .argParser((value: string, before: string[]) => [...before, value])
        .default([], 'none'),
    );
}

/** What only makes sense together. @throws SealdropError `usage` */
export function assertApiOptions(options: ApiOptions): void {
  if (options.listen === undefined) {
    const alone = (
      ['tlsCert', 'tlsKey', 'publicUrl', 'allowDelete', 'behindProxy', 'decryptWith'] as const
    ).find((name) => options[name] !== undefined);
    if (alone !== undefined) throw usage(`--${kebab(alone)} goes with --listen`);
    return;
  }
  if (options.tokenFile === undefined)
    throw usage('--token-file is missing: the API is never open', 'name a file with lines PREFIX/ TOKEN');
  if ((options.tlsCert === undefined) !== (options.tlsKey === undefined))
    throw usage('--tls-cert and --tls-key go together');
  if ((options.decryptWith === undefined) !== (options.decryptPrefix.length === 0))
    throw usage('--decrypt-with and --decrypt-prefix go together');
  const wrong = options.decryptPrefix.find((prefix) => prefixProblem(prefix) !== undefined);
  if (wrong !== undefined) throw usage(`--decrypt-prefix ${printable(wrong)}: ${prefixProblem(wrong)}`);
  assertPublicUrl(options.publicUrl);
  const { host } = parseListen(options.listen);
  if (isLoopback(host) || options.tlsCert !== undefined || options.behindProxy === true) return;
  throw usage(
    `tokens and plaintext would go over the network in the clear: ${printable(host)} is not this machine alone`,
    'name --tls-cert and --tls-key, listen on 127.0.0.1, or say --behind-proxy where a proxy speaks TLS',
  );
}

/** @throws SealdropError `usage` */
export function parseListen(text: string): { host: string; port: number } {
  const match = /^(?:\[([\da-f:.]+)\]|([\w.-]+)):(\d{1,5})$/i.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535 || (match?.[1] !== undefined && isIP(host) !== 6))
    throw usage(`--listen ${printable(text)} is not an address`, 'it is HOST:PORT, such as 127.0.0.1:8080');
  return { host, port };
}

function assertPublicUrl(text: string | undefined): void {
  if (text === undefined) return;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const plain = url !== undefined && url.search === '' && url.hash === '' && url.username === '';
  if (plain && /^https?:$/.test(url.protocol) && url.pathname === '/') return;
  throw usage('--public-url is not a URL like https://host');
}

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));

const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

export function usage(message: string, hint?: string): SealdropError {
  return new SealdropError('usage', message, hint === undefined ? {} : { hint });
}
