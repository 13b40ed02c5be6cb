/** `sealdrop serve --listen`: the API on this machine. */
import { readFile } from 'node:fs/promises';
import type { Vault } from '../config/settings.js';
import { systemCode } from '../errors.js';
import type { AccessEntry } from '../gateway/api/api.js';
import type { DecryptEntry } from '../gateway/api/decrypt-object.js';
import { createLocalApi, type LocalDecryption } from '../gateway/http/local-api.js';
import { startServer, type RunningServer } from '../gateway/http/server.js';
import type { Tokens } from '../gateway/http/tokens.js';
import type { Decryptor, Encryptor, PublicKeyInfo } from '../ports.js';
import { printable } from '../printable.js';
import type { Secret } from '../secret.js';
import { assertApiOptions, parseListen, usage, type ApiOptions } from './api-options.js';
import type { Environment } from './command.js';
import { onceFor } from './passphrase.js';
import type { Output } from './output.js';
import { loadTokens, loadWebhookToken } from './token-file.js';

/** What the API is told, read and checked. */
export interface PreparedApi {
  readonly address: { readonly host: string; readonly port: number };
  readonly tokens: Tokens;
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer };
  readonly publicUrl?: string;
  readonly allowDelete: boolean;
  readonly decryptor?: Decryptor;
  readonly decryptPrefixes: readonly string[];
  /** SHA-256 of the token of a webhook. */
  readonly webhookDigest?: Buffer;
}

/**
 * Before anything is made: undefined where no API is asked for.
 * @throws SealdropError `usage`, `key_file_not_found`, `key_exposed`, what reading the private key can fail with
 */
export async function prepareApi(
  options: ApiOptions & { webhookTokenFile?: string },
  { parts }: Environment,
): Promise<PreparedApi | undefined> {
  assertApiOptions(options);
  const { listen, tokenFile, decryptWith, publicUrl, webhookTokenFile } = options;
  if (listen === undefined || tokenFile === undefined) return undefined;
  const tls = await readTls(options);
  const passphrase = onceFor({});
  return {
    address: parseListen(listen),
    tokens: await loadTokens(tokenFile),
    ...(tls !== undefined && { tls }),
    ...(publicUrl !== undefined && { publicUrl: publicUrl.replace(/\/$/, '') }),
    allowDelete: options.allowDelete === true,
    ...(decryptWith !== undefined && {
      decryptor: await parts.openDecryptor({ privateKeys: [decryptWith], passphrase }),
    }),
    decryptPrefixes: options.decryptPrefix,
    ...(webhookTokenFile !== undefined && { webhookDigest: await loadWebhookToken(webhookTokenFile) }),
  };
}

export interface ApiParts {
  readonly vault: Vault;
  readonly encryptor: Encryptor;
  readonly idempotencyKey?: Secret<Buffer> | undefined;
  readonly publicKeys: () => readonly PublicKeyInfo[];
  /** Takes what a webhook tells. */
  readonly notify?: (message: unknown) => number | undefined;
}

/** @throws SealdropError `listen_failed` */
export async function serveApi(
  api: PreparedApi,
  { vault, encryptor, idempotencyKey, publicKeys, notify }: ApiParts,
  output: Output,
): Promise<RunningServer> {
  const { address, tokens, tls, publicUrl, allowDelete, webhookDigest: tokenDigest } = api;
  const decrypt = decryption(api, output);
  const respond = createLocalApi({
    ...{ store: vault.store, prefix: vault.key, encryptor, idempotencyKey, publicKeys, allowDelete },
    ...(decrypt !== undefined && { decrypt }),
    ...(notify !== undefined && tokenDigest !== undefined && { events: { tokenDigest, notify } }),
    report: (entry) => reportRequest(entry, output),
  });
  const server = await startServer({
    ...{ ...address, tokens, respond },
    ...(tls !== undefined && { tls }),
    ...(publicUrl !== undefined && { publicUrl }),
  });
  output.note(`serving ${server.url}/v1/ -> ${printable(vault.store.address(vault.key))}`);
  return server;
}

function decryption(
  { decryptor, decryptPrefixes }: PreparedApi,
  output: Output,
): LocalDecryption | undefined {
  if (decryptor === undefined) return undefined;
  output.warn('the API decrypts: whoever breaks into this machine reads everything that the key opens');
  const audit = (entry: DecryptEntry) => {
    const { principal, key, outcome, code } = entry;
    const result = code === undefined ? outcome : `${outcome} (${code})`;
    output.result(
      { audit: true, ...entry },
      `decrypt ${printable(key)} by ${printable(principal)}: ${result}`,
    );
  };
  return { decryptor, prefixes: decryptPrefixes, audit };
}

async function readTls({ tlsCert, tlsKey }: ApiOptions): Promise<{ cert: Buffer; key: Buffer } | undefined> {
  if (tlsCert === undefined || tlsKey === undefined) return undefined;
  // In turn: of two missing files the same one is named each time.
  return { cert: await readPem(tlsCert), key: await readPem(tlsKey) };
}

async function readPem(path: string): Promise<Buffer> {
  return readFile(path).catch((cause: unknown) => {
    throw usage(`cannot read ${printable(path)}: ${systemCode(cause) ?? 'error'}`);
  });
}

/** A line for each request; of what went wrong on our side, why. */
function reportRequest({ error, ...entry }: AccessEntry, output: Output): void {
  const { method, route, principal, key, status, milliseconds } = entry;
  const what = key === undefined ? route : `${method} ${key}`;
  const who = principal === undefined ? '' : ` by ${principal}`;
  const line = printable(`${status} ${what}${who} (${milliseconds} ms)`);
  if (status >= 500) output.error(error, { request: entry });
  output.result({ request: entry }, line);
}
