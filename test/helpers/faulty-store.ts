/**
 * An S3 server in memory, over TLS, that has the peculiarities it is told to have: those of docs/stores.md. It looks at
 * no signature, so it can misunderstand what it likes.
 */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { selfSigned } from './certificate.js';
import { tempFolder } from './server-process.js';

export interface Faults {
  /** Status for checksum headers and trailers. */
  refuseChecksums?: number;
  /** Chunks of a trailer's transfer become content. */
  keepChunks?: boolean;
  refuseMd5?: boolean;
  /** Looks like an MD5, or not. */
  etag?: 'hex' | 'opaque';
  multipartEtag?: 'opaque';
  /** Encrypts all with SSE-KMS, and says so: no ETag is an MD5 then. */
  kms?: boolean;
  dropMetadata?: boolean;
  letters?: 'rfc2047' | 'refused';
  ifNoneMatch?: 'ignored' | 'unknown';
  ifMatch?: 'ignored' | 'unknown';
  /** Of completions alone. */
  completeIgnores?: boolean;
  equalParts?: boolean;
  minPart?: number;
  maxParts?: number;
  noMultipart?: boolean;
  /** Milliseconds that its clock is ahead. */
  skew?: number;
  refuseSkewed?: boolean;
  noListV2?: number;
  /** Says that keys are encoded, and doesn't encode them as such. */
  doubleEncodes?: boolean;
  brokenPages?: boolean;
  aliasCase?: boolean;
  aliasSlashes?: boolean;
  absentAs?: number;
  noRanges?: boolean;
  /** Takes buckets in the host's name alone. */
  ownHosts?: boolean;
  /** The first request about each of the first few keys is answered so. */
  busy?: number;
  losesCopyMetadata?: boolean;
}

export interface FaultyStore {
  readonly endpoint: string;
  readonly caBundle: string;
  readonly keys: () => string[];
  readonly uploads: () => number;
  faults: Faults;
  close(): Promise<void>;
}

interface Stored {
  body: Buffer;
  etag: string;
  metadata: Record<string, string>;
  headers: Record<string, string>;
}

interface Upload {
  key: string;
  parts: Map<number, Buffer>;
  metadata: Record<string, string>;
}

interface Call {
  readonly method: string;
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

interface Reply {
  status: number;
  headers?: Record<string, string | number>;
  body?: Buffer | string;
}

const MIB = 1024 * 1024;
const BUSY_KEYS = 5;
const error = (status: number, code: string): Reply => ({
  status,
  body: `<?xml version="1.0"?><Error><Code>${code}</Code></Error>`,
});
const md5 = (bytes: Buffer) => createHash('md5').update(bytes).digest();
const xml = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

export async function startFaultyStore(faults: Faults = {}): Promise<FaultyStore> {
  const { certificate, key } = await selfSigned(tempFolder('faulty-store'));
  const store = new Store(faults);
  const server = createServer(
    { cert: readFileSync(certificate), key: readFileSync(key) },
    (request, response) => {
      store.handle(request, response).catch(() => response.destroy());
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    caBundle: certificate,
    keys: () => [...store.objects.keys()],
    uploads: () => store.uploads.size,
    get faults() {
      return store.faults;
    },
    set faults(next) {
      store.faults = next;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

class Store {
  faults: Faults;
  readonly objects = new Map<string, Stored>();
  readonly uploads = new Map<string, Upload>();
  readonly #busy = new Set<string>();

  constructor(faults: Faults) {
    this.faults = faults;
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const [path = '', query = ''] = request.url!.split('?');
    const call: Call = {
      method: request.method!,
      key: this.#kept(decodeURIComponent(path.split('/').slice(2).join('/'))),
      query: new URLSearchParams(query),
      headers: request.headers as Record<string, string>,
      body: Buffer.concat(pieces),
    };
    const { status, headers = {}, body = '' } = this.#answer(call);
    const { skew = 0, kms = false } = this.faults;
    const sealed = kms && call.key !== '' && call.method !== 'DELETE' && status < 300;
    response.writeHead(status, {
      date: new Date(Date.now() + skew).toUTCString(),
      ...(typeof body === 'string' && body !== '' && { 'content-type': 'application/xml' }),
      'content-length': Buffer.byteLength(body),
      ...(sealed && { 'x-amz-server-side-encryption': 'aws:kms' }),
      ...headers,
    });
    response.end(call.method === 'HEAD' ? undefined : body);
  }

  #kept(key: string): string {
    let kept = this.faults.aliasCase === true ? key.toLowerCase() : key;
    if (this.faults.aliasSlashes === true) kept = kept.replaceAll(/\/+/g, '/');
    return kept;
  }

  #answer(call: Call): Reply {
    const { method, key, query } = call;
    if (this.faults.ownHosts === true) return error(403, 'SecondLevelDomainForbidden');
    if (this.faults.refuseSkewed === true) return error(403, 'RequestTimeTooSkewed');
    if (this.faults.busy !== undefined && this.#busy.size < BUSY_KEYS && !this.#busy.has(key)) {
      this.#busy.add(key);
      return error(this.faults.busy, 'SlowDown');
    }
    if (key === '') return this.#bucket(call);
    if (method === 'POST') return query.has('uploads') ? this.#begin(call) : this.#complete(call);
    if (method === 'PUT') return query.has('uploadId') ? this.#part(call) : this.#put(call);
    if (method === 'DELETE') return this.#delete(call);
    if (query.has('uploadId'))
      return error(this.uploads.has(query.get('uploadId')!) ? 200 : 404, 'NoSuchUpload');
    return this.#get(call);
  }

  #refused({ headers }: Call): Reply | undefined {
    const { refuseChecksums, refuseMd5 } = this.faults;
    const isTrailer = headers['x-amz-trailer'] !== undefined;
    if (refuseChecksums !== undefined && (isTrailer || headers['x-amz-checksum-crc32'] !== undefined))
      return error(refuseChecksums, refuseChecksums === 501 ? 'NotImplemented' : 'InvalidArgument');
    if (refuseMd5 === true && headers['content-md5'] !== undefined) return error(400, 'InvalidDigest');
    return undefined;
  }

  #condition({ headers }: Call, key: string, completing: boolean): Reply | undefined {
    const { ifNoneMatch, ifMatch, completeIgnores } = this.faults;
    const current = this.objects.get(key);
    if (headers['if-none-match'] !== undefined) {
      if (ifNoneMatch === 'unknown') return error(501, 'NotImplemented');
      const ignored = ifNoneMatch === 'ignored' || (completing && completeIgnores === true);
      if (!ignored && current !== undefined) return error(412, 'PreconditionFailed');
    }
    if (headers['if-match'] !== undefined) {
      if (ifMatch === 'unknown') return error(501, 'NotImplemented');
      const ignored = ifMatch === 'ignored' || (completing && completeIgnores === true);
      if (!ignored && current?.etag !== headers['if-match']) return error(412, 'PreconditionFailed');
    }
    return undefined;
  }

  #metadata({ headers }: Call): Record<string, string> | undefined {
    const own = Object.entries(headers).filter(([name]) => name.startsWith('x-amz-meta-'));
    const isOther = own.some(([, value]) => /[^ -~]/.test(value));
    if (isOther && this.faults.letters === 'refused') return undefined;
    if (this.faults.dropMetadata === true) return {};
    return Object.fromEntries(
      own.map(([name, value]) => [
        name,
        /[^ -~]/.test(value) && this.faults.letters === 'rfc2047'
          ? `=?UTF-8?B?${Buffer.from(value, 'latin1').toString('base64')}?=`
          : value,
      ]),
    );
  }

  #etagOf(body: Buffer): string {
    if (this.faults.etag === 'hex' || this.faults.kms === true) return `"${randomBytes(16).toString('hex')}"`;
    return this.faults.etag === 'opaque' ? `"${randomUUID()}"` : `"${md5(body).toString('hex')}"`;
  }

  #put(call: Call): Reply {
    const { key, headers, body } = call;
    const source = headers['x-amz-copy-source'];
    if (source !== undefined) {
      const from = this.objects.get(decodeURIComponent(source).split('/').slice(2).join('/'))!;
      this.objects.set(key, this.faults.losesCopyMetadata === true ? { ...from, metadata: {} } : from);
      return { status: 200, body: '<CopyObjectResult></CopyObjectResult>' };
    }
    const refused = this.#refused(call) ?? this.#condition(call, key, false);
    if (refused !== undefined) return refused;
    const metadata = this.#metadata(call);
    if (metadata === undefined) return error(400, 'InvalidArgument');
    const isChunked = headers['x-amz-trailer'] !== undefined && this.faults.keepChunks !== true;
    const content = isChunked ? unchunked(body) : body;
    const etag = this.#etagOf(content);
    const crc = headers['x-amz-checksum-crc32'];
    this.objects.set(key, { body: content, etag, metadata, headers: {} });
    return { status: 200, headers: { etag, ...(crc && { 'x-amz-checksum-crc32': crc }) } };
  }

  #get({ method, key, headers }: Call): Reply {
    const found = this.objects.get(key);
    const { absentAs = 404 } = this.faults;
    if (found === undefined) return error(absentAs, absentAs === 404 ? 'NoSuchKey' : 'AccessDenied');
    const { body, etag, metadata } = found;
    const wanted = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '');
    const common = { etag, 'last-modified': new Date().toUTCString(), ...metadata };
    if (wanted === null || this.faults.noRanges === true || method === 'HEAD')
      return { status: 200, headers: { ...common, 'content-length': body.length }, body };
    const [first, last] = [Number(wanted[1]), Math.min(Number(wanted[2] || Infinity), body.length - 1)];
    const range = `bytes ${first}-${last}/${body.length}`;
    return {
      status: 206,
      headers: { ...common, 'content-range': range },
      body: body.subarray(first, last + 1),
    };
  }

  #delete({ key, query }: Call): Reply {
    const id = query.get('uploadId');
    if (id === null) this.objects.delete(key);
    else if (!this.uploads.delete(id)) return error(404, 'NoSuchUpload');
    return { status: 204 };
  }

  #begin(call: Call): Reply {
    if (this.faults.noMultipart === true) return error(501, 'NotImplemented');
    const id = randomUUID();
    this.uploads.set(id, { key: call.key, parts: new Map(), metadata: this.#metadata(call) ?? {} });
    const body = `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`;
    return { status: 200, body };
  }

  #part(call: Call): Reply {
    const upload = this.uploads.get(call.query.get('uploadId')!);
    if (upload === undefined) return error(404, 'NoSuchUpload');
    const refused = this.#refused(call);
    if (refused !== undefined) return refused;
    const number = Number(call.query.get('partNumber'));
    if (number > (this.faults.maxParts ?? 10_000)) return error(400, 'InvalidArgument');
    upload.parts.set(number, call.body);
    return { status: 200, headers: { etag: this.#etagOf(call.body) } };
  }

  #complete(call: Call): Reply {
    const id = call.query.get('uploadId')!;
    const upload = this.uploads.get(id);
    if (upload === undefined) return error(404, 'NoSuchUpload');
    const refused = this.#condition(call, upload.key, true);
    if (refused !== undefined) return refused;
    const parts = [...upload.parts].sort(([a], [b]) => a - b).map(([, body]) => body);
    const { equalParts, minPart = 5 * MIB, multipartEtag } = this.faults;
    const full = parts.slice(0, -1);
    if (full.some(({ length }) => length < minPart)) return error(400, 'EntityTooSmall');
    if (equalParts === true && full.some(({ length }) => length !== full[0]!.length))
      return error(400, 'InvalidPart');
    const usual = `${md5(Buffer.concat(parts.map(md5))).toString('hex')}-${parts.length}`;
    const etag = `"${multipartEtag === 'opaque' ? randomUUID() : usual}"`;
    this.objects.set(upload.key, {
      body: Buffer.concat(parts),
      etag,
      metadata: upload.metadata,
      headers: {},
    });
    this.uploads.delete(id);
    const answer = `<CompleteMultipartUploadResult><ETag>${xml(etag)}</ETag></CompleteMultipartUploadResult>`;
    return { status: 200, body: answer };
  }

  #bucket({ query }: Call): Reply {
    if (query.has('uploads')) return this.#listUploads(query.get('prefix') ?? '');
    if (query.has('versioning')) return { status: 200, body: '<VersioningConfiguration/>' };
    if (query.has('object-lock')) return error(404, 'ObjectLockConfigurationNotFoundError');
    const isV2 = query.has('list-type');
    if (isV2 && this.faults.noListV2 !== undefined && query.get('max-keys') !== '1')
      return error(this.faults.noListV2, this.faults.noListV2 === 501 ? 'NotImplemented' : 'InvalidArgument');
    return this.#list(query, isV2);
  }

  #list(query: URLSearchParams, isV2: boolean): Reply {
    const after = query.get(isV2 ? 'continuation-token' : 'marker') ?? query.get('start-after') ?? '';
    const encoded = query.get('encoding-type') === 'url';
    const shown = (key: string) => {
      if (!encoded) return xml(key);
      const once = encodeURIComponent(key).replaceAll('%2F', '/');
      return this.faults.doubleEncodes === true ? encodeURIComponent(once) : once;
    };
    const keys = [...this.objects.keys()]
      .filter((key) => key.startsWith(query.get('prefix') ?? ''))
      .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      .filter((key) => Buffer.compare(Buffer.from(key), Buffer.from(after)) > 0);
    const page = keys.slice(0, Number(query.get('max-keys') ?? 1000));
    const more = keys.length > page.length;
    const contents = page.map((key) => {
      const { body, etag } = this.objects.get(key)!;
      return `<Contents><Key>${shown(key)}</Key><Size>${body.length}</Size><ETag>${xml(etag)}</ETag><LastModified>${new Date().toISOString()}</LastModified></Contents>`;
    });
    const token = more && isV2 && this.faults.brokenPages !== true;
    const body = [
      `<ListBucketResult><Name>b</Name><IsTruncated>${more}</IsTruncated>`,
      encoded ? '<EncodingType>url</EncodingType>' : '',
      token ? `<NextContinuationToken>${xml(page.at(-1)!)}</NextContinuationToken>` : '',
      ...contents,
      '</ListBucketResult>',
    ];
    return { status: 200, body: body.join('') };
  }

  #listUploads(prefix: string): Reply {
    const found = [...this.uploads].filter(([, { key }]) => key.startsWith(prefix));
    const each = found.map(
      ([id, { key }]) => `<Upload><Key>${xml(key)}</Key><UploadId>${id}</UploadId></Upload>`,
    );
    return {
      status: 200,
      body: `<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>${each.join('')}</ListMultipartUploadsResult>`,
    };
  }
}

/** The one chunk before the trailer. */
function unchunked(body: Buffer): Buffer {
  const line = body.indexOf('\r\n');
  return body.subarray(line + 2, line + 2 + parseInt(body.subarray(0, line).toString(), 16));
}
