/** An issuer of JSON Web Tokens on this machine: discovery and keys over https, tokens signed with RS256. */
import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Certificate } from './certificate.js';

export type Claims = Readonly<Record<string, unknown>>;

export interface OidcIssuer {
  /** What tokens have as `iss`. */
  readonly url: string;
  /** Paths that were asked for. */
  readonly asked: readonly string[];
  /** A token in compact form (RFC 7519). @param key default: the one that the issuer publishes */
  token(claims: Claims, key?: KeyObject): string;
  close(): void;
}

const KEY_ID = 'the-only-key';

export async function startIssuer({ certificate, key }: Certificate): Promise<OidcIssuer> {
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const asked: string[] = [];
  const documents = new Map<string, object>();
  const server = createServer(
    { cert: readFileSync(certificate), key: readFileSync(key) },
    (request, answer) => {
      asked.push(request.url!);
      const document = documents.get(request.url!);
      answer.writeHead(document === undefined ? 404 : 200, { 'content-type': 'application/json' });
      answer.end(JSON.stringify(document ?? {}));
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `https://localhost:${(server.address() as AddressInfo).port}`;
  // Source: https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig
  documents.set('/.well-known/openid-configuration', { issuer: url, jwks_uri: `${url}/keys` });
  const published = { ...pair.publicKey.export({ format: 'jwk' }), kid: KEY_ID, use: 'sig', alg: 'RS256' };
  documents.set('/keys', { keys: [published] });
  return {
    url,
    asked,
    token: (claims, signer = pair.privateKey) => signed({ iss: url, ...claims }, signer),
    close: () => void server.close(),
  };
}

function signed(claims: Claims, key: KeyObject): string {
  const content = `${encoded({ alg: 'RS256', typ: 'JWT', kid: KEY_ID })}.${encoded(claims)}`;
  return `${content}.${sign('sha256', Buffer.from(content), key).toString('base64url')}`;
}

const encoded = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
