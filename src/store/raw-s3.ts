/** Requests to a bucket as they are, signed, over the connections that the store itself would use. */
import type { Readable } from 'node:stream';
import { HttpRequest } from '@smithy/core/protocols';
import type { NodeHttpHandler } from '@smithy/node-http-handler';
import { SignatureV4 } from '@smithy/signature-v4';
import { certificateAuthorities } from '../certificate-authorities.js';
import type { RawAnswer, RawRequest, RawStore } from '../raw-store.js';
import { connect, type ClientOptions, type Connection } from './s3-client.js';
import { s3Error } from './s3-errors.js';
import { delay } from './signals.js';

const TRIES = 3;
const BUSY = [429, 500, 502, 503, 504];
/** What a probe asks for is small. */
const MAX_BODY = 32 * 1024 * 1024;

/** @throws SealdropError `usage` for settings that cannot work */
export async function openRawStore(options: ClientOptions & { bucket: string }): Promise<RawStore> {
  const connection = await connect(options);
  const { client, endpoint, traits } = connection;
  const region = await client.config.region();
  const signer = new SignatureV4({
    service: 's3',
    region,
    credentials: client.config.credentials,
    sha256: client.config.sha256,
    uriEscapePath: false,
  });
  const base = new URL(endpoint.url ?? `https://s3.${region}.amazonaws.com`);
  const url = placed(base, options.bucket, traits.pathStyle ?? true);
  const authorities = certificateAuthorities(
    options.caBundle ?? process.env.AWS_CA_BUNDLE,
    options.caCertificate,
  );
  return {
    ...{ bucket: options.bucket, url, aws: endpoint.aws, traits, authorities },
    async send(request, signal) {
      for (let attempt = 1; ; attempt++) {
        const answer = await once(connection, signer, url, request, signal).catch((error: unknown) => {
          throw s3Error(error, { address: `s3://${options.bucket}`, endpoint: endpoint.shown });
        });
        if (!BUSY.includes(answer.status) || attempt === TRIES) return answer;
        await delay(300 * attempt, signal);
      }
    },
    close: () => client.destroy(),
  };
}

/** Where the bucket is, with a slash at its end. */
function placed(base: URL, bucket: string, pathStyle: boolean): URL {
  const url = new URL(base);
  const path = url.pathname.replace(/\/$/, '');
  if (!pathStyle) url.hostname = `${bucket}.${url.hostname}`;
  url.pathname = pathStyle ? `${path}/${bucket}/` : `${path}/`;
  return url;
}

async function once(
  { client }: Connection,
  signer: SignatureV4,
  url: URL,
  { method, key, query = {}, headers = {}, body }: RawRequest,
  signal: AbortSignal | undefined,
): Promise<RawAnswer> {
  const port = url.port === '' ? {} : { port: Number(url.port) };
  const request = new HttpRequest({
    ...{ protocol: url.protocol, hostname: url.hostname, ...port, method, query: { ...query }, body },
    path: key === undefined ? url.pathname : url.pathname + key.split('/').map(escaped).join('/'),
    headers: { host: url.host, ...(body && { 'content-length': String(body.length) }), ...headers },
  });
  const signed = (await signer.sign(request)) as HttpRequest;
  // The signature is of the text; on the wire it is UTF-8.
  for (const [name, value] of Object.entries(signed.headers))
    signed.headers[name] = Buffer.from(value).toString('latin1');
  const options = signal === undefined ? {} : { abortSignal: signal };
  const handler = client.config.requestHandler as { handle: NodeHttpHandler['handle'] };
  const { response } = await handler.handle(signed, options);
  const { statusCode: status, headers: said } = response;
  return { status, headers: said, body: await collected(response.body as Readable) };
}

const escaped = (segment: string): string =>
  encodeURIComponent(segment).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

async function collected(body: Readable): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let total = 0;
  for await (const piece of body as AsyncIterable<Buffer>) {
    pieces.push(piece);
    if ((total += piece.length) > MAX_BODY) throw new Error('an answer without an end');
  }
  return Buffer.concat(pieces);
}
