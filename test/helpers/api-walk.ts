/**
 * Walks an API as its own OpenAPI document describes it: every operation is called, well and badly, and every answer has
 * to be one that the document announces. For the local server and for a deployed one: how a request is sent, and as
 * whom, is the caller's.
 */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

export interface WalkRequest {
  readonly method: string;
  /** Percent-encoded, with its query, from `/v1/` on. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

export interface WalkAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
}

export interface WalkOptions {
  /** `nobody` has no credentials. */
  readonly send: (request: WalkRequest, as: 'caller' | 'nobody') => Promise<WalkAnswer>;
  /** Route keys that the deployment has: no more and no fewer may be in the document. */
  readonly routes: readonly string[];
  /** For URLs outside of the API. Default: fetch. */
  readonly fetchUrl?: typeof fetch;
  /** Opens what came from the vault; the message must be bound to `vaultKey`. */
  readonly open?: (ciphertext: Buffer, vaultKey: string) => Promise<Buffer>;
  /** Bytes that are too many for PUT, where there is a limit. */
  readonly tooLarge?: number;
  /** Milliseconds until an upload must be stored. Default 60,000. */
  readonly patience?: number;
}

interface Operation {
  readonly security?: readonly object[];
  readonly responses: Record<string, { content?: Record<string, { schema?: object }> }>;
}

interface Document {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Operation>>;
}

/** What was called, as `METHOD path status`. @throws Error where an answer is not as the document says */
export async function walkApi(options: WalkOptions): Promise<string[]> {
  const walker = new Walker(options, await readDocument(options));
  walker.assertRoutes();
  await walker.refuseNobody();
  const folder = `walk-${randomUUID()}`;
  await walkObjects(walker, options, folder);
  await walkUploads(walker, options, folder);
  await walkRest(walker);
  walker.assertAllVisited();
  return walker.visits;
}

async function readDocument({ send }: WalkOptions): Promise<Document> {
  const answer = await send({ method: 'GET', path: '/v1/openapi.json' }, 'caller');
  if (answer.status !== 200) throw new Error(`the document: ${answer.status} ${answer.body.toString()}`);
  return JSON.parse(answer.body.toString()) as Document;
}

class Walker {
  readonly visits: string[] = [];
  readonly #options: WalkOptions;
  readonly #document: Document;
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true });
  readonly #schemas = new Map<string, ValidateFunction>();

  constructor(options: WalkOptions, document: Document) {
    this.#options = options;
    this.#document = document;
    this.#ajv.addFormat('uri', (text: string) => URL.canParse(text));
    this.#ajv.addFormat('date-time', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
    this.#ajv.addSchema(document, 'api');
  }

  has(route: string): boolean {
    return this.#operations().includes(route);
  }

  #operations(): string[] {
    return Object.entries(this.#document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
  }

  assertRoutes(): void {
    if (this.#document.openapi !== '3.1.0') throw new Error(`openapi is ${this.#document.openapi}`);
    const wanted = this.#options.routes.map((route) => route.replace('+}', '}')).sort();
    const found = this.#operations().sort();
    if (JSON.stringify(found) !== JSON.stringify(wanted))
      throw new Error(`the document has ${found.join(', ')}; wanted: ${wanted.join(', ')}`);
  }

  /** Every route without credentials: health alone answers. */
  async refuseNobody(): Promise<void> {
    for (const route of this.#operations()) {
      const [method = '', path = ''] = route.split(' ');
      const real = path.replace('{key}', 'some/key').replace('{id}', 'A'.repeat(22));
      const answer = await this.#options.send({ method, path: real }, 'nobody');
      const right = path === '/v1/health' ? answer.status === 200 : [401, 403].includes(answer.status);
      if (!right) throw new Error(`${route} answers ${answer.status} without credentials`);
      this.#check(route, answer);
    }
  }

  /** Calls a route, and checks the answer against the document. */
  async call(route: string, status: number, request: Partial<WalkRequest> = {}): Promise<WalkAnswer> {
    const [method = '', path = ''] = route.split(' ');
    const answer = await this.#options.send({ method, path, ...request }, 'caller');
    if (answer.status !== status)
      throw new Error(
        `${method} ${request.path ?? path}: ${answer.status}, wanted ${status}: ${text(answer)}`,
      );
    this.#check(route, answer);
    return answer;
  }

  #check(route: string, answer: WalkAnswer): void {
    const [method = '', path = ''] = route.split(' ');
    const { status, headers, body } = answer;
    const announced = this.#document.paths[path]![method.toLowerCase()]!.responses[status];
    if (announced === undefined)
      throw new Error(`${route}: ${status} is not in the document: ${text(answer)}`);
    this.visits.push(`${route} ${status}`);
    const type = (headers['content-type'] ?? '').split(';')[0]!;
    const content = announced.content;
    if (content === undefined) {
      if (body.length > 0) throw new Error(`${route} ${status}: a body that is not in the document`);
      return;
    }
    if (!Object.hasOwn(content, type)) throw new Error(`${route} ${status}: ${type} is not in the document`);
    const at = `api#/paths/${path.replaceAll('~', '~0').replaceAll('/', '~1')}/${method.toLowerCase()}/responses/${status}/content/${type.replaceAll('/', '~1')}/schema`;
    if (content[type]!.schema !== undefined)
      this.#assertValid(at, JSON.parse(body.toString()), `${route} ${status}`);
  }

  #assertValid(pointer: string, value: unknown, where: string): void {
    // A pointer stands in a URL here: what has a meaning there is escaped.
    const $ref = pointer.replace(/[{}]/g, (brace) => encodeURIComponent(brace));
    const validate = this.#schemas.get($ref) ?? this.#ajv.compile({ $ref });
    this.#schemas.set($ref, validate);
    if (!validate(value))
      throw new Error(`${where}: ${this.#ajv.errorsText(validate.errors)}: ${JSON.stringify(value)}`);
  }

  /** An operation counts when it was seen to work, and to refuse. */
  assertAllVisited(): void {
    for (const route of this.#operations())
      if (!this.visits.some((visit) => visit.startsWith(`${route} 2`)))
        throw new Error(`${route} was not walked`);
  }
}

const encoded = (key: string): string => key.split('/').map(encodeURIComponent).join('/');
const text = ({ body }: WalkAnswer): string => body.toString().slice(0, 500);
const parsed = <T>({ body }: WalkAnswer): T => JSON.parse(body.toString()) as T;

const OBJECT = '/v1/objects/{key}';

async function walkObjects(walker: Walker, options: WalkOptions, folder: string): Promise<void> {
  const key = `${folder}/a b+c%20 &=#/日本 é.txt`;
  const at = { path: `/v1/objects/${encoded(key)}` };
  const content = Buffer.from('what was put by the walk');
  const put = { ...at, body: content, headers: { 'content-type': 'text/plain' } };
  const stored = parsed<{ key: string; size: number }>(await walker.call(`PUT ${OBJECT}`, 201, put));
  assertEqual('the key that was put', stored.key, key);
  assertEqual('its size', stored.size, content.length);
  await walker.call(`PUT ${OBJECT}`, 412, { ...put, headers: { 'if-none-match': '*' } });
  await walker.call(`PUT ${OBJECT}`, 400, { ...put, headers: { 'if-none-match': '"x"' } });
  await walker.call(`PUT ${OBJECT}`, 400, { ...put, headers: { 'content-range': 'bytes 0-1/9' } });
  await walker.call(`PUT ${OBJECT}`, 415, { ...put, headers: { 'content-encoding': 'gzip' } });
  await walker.call(`PUT ${OBJECT}`, 400, { ...put, path: `/v1/objects/${folder}/%2E%2E/x` });
  if (options.tooLarge !== undefined)
    await walker.call(`PUT ${OBJECT}`, 413, { ...at, body: Buffer.alloc(options.tooLarge) });
  await walker.call(`PUT ${OBJECT}`, 201, { path: `/v1/objects/${folder}/empty`, body: Buffer.alloc(0) });

  const head = await walker.call(`HEAD ${OBJECT}`, 200, at);
  assertEqual('sealdrop-size', head.headers['sealdrop-size'], String(content.length));
  await walker.call(`HEAD ${OBJECT}`, 404, { path: `/v1/objects/${folder}/none` });
  const link = parsed<{ url: string; vaultKey: string; storedSize: number }>(
    await walker.call(`GET ${OBJECT}`, 200, at),
  );
  await walker.call(`GET ${OBJECT}`, 404, { path: `/v1/objects/${folder}/none` });
  await walker.call(`GET ${OBJECT}`, 400, { path: `/v1/objects/${folder}//none` });
  const fetched = await (options.fetchUrl ?? fetch)(link.url);
  const ciphertext = Buffer.from(await fetched.arrayBuffer());
  assertEqual('the status of the URL', fetched.status, 200);
  assertEqual('the size of the ciphertext', ciphertext.length, link.storedSize);
  if (ciphertext.includes(content)) throw new Error('the plaintext stands in what the URL gives');
  if (options.open)
    assertEqual(
      'what it opens to',
      (await options.open(ciphertext, link.vaultKey)).toString(),
      content.toString(),
    );

  await walkList(walker, folder, key);
  if (walker.has('POST /v1/decrypt/{key}')) {
    const decrypt = { path: `/v1/decrypt/${encoded(key)}` };
    const opened = await walker.call('POST /v1/decrypt/{key}', 200, decrypt);
    assertEqual('what was decrypted', opened.body.toString(), content.toString());
    await walker.call('POST /v1/decrypt/{key}', 404, { path: `/v1/decrypt/${folder}/none` });
  }
  if (!walker.has(`DELETE ${OBJECT}`)) return;
  await walker.call(`DELETE ${OBJECT}`, 204, at);
  await walker.call(`DELETE ${OBJECT}`, 204, at);
  await walker.call(`DELETE ${OBJECT}`, 400, { path: `/v1/objects/${folder}/./x` });
  await walker.call(`HEAD ${OBJECT}`, 404, at);
}

async function walkList(walker: Walker, folder: string, key: string): Promise<void> {
  const list = async (query: string) =>
    parsed<{ objects: { key: string }[]; cursor?: string }>(
      await walker.call('GET /v1/objects', 200, { path: `/v1/objects?${query}` }),
    );
  const prefix = `prefix=${encodeURIComponent(`${folder}/`)}`;
  const all = (await list(prefix)).objects.map((object) => object.key);
  assertEqual('the list', JSON.stringify(all), JSON.stringify([key, `${folder}/empty`]));
  const first = await list(`${prefix}&limit=1`);
  const second = await list(`${prefix}&limit=1&cursor=${first.cursor}`);
  assertEqual(
    'the pages',
    JSON.stringify([...first.objects, ...second.objects].map((o) => o.key)),
    JSON.stringify(all),
  );
  assertEqual('the cursor of the last page', second.cursor, undefined);
  for (const query of ['limit=0', 'limit=x', 'prefix=../', 'cursor=%21'])
    await walker.call('GET /v1/objects', 400, { path: `/v1/objects?${query}` });
}

interface Upload {
  readonly id: string;
  readonly key: string;
  readonly url: string;
  readonly fields: Record<string, string>;
}

async function walkUploads(walker: Walker, options: WalkOptions, folder: string): Promise<void> {
  const json = (value: unknown) => ({
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
  });
  const route = 'POST /v1/uploads';
  for (const wrong of [
    '{',
    '[]',
    {},
    { name: 5 },
    { name: 'a', more: 1 },
    { name: '../a' },
    { name: 'a', size: -1 },
  ])
    await walker.call(route, 400, json(wrong));
  await walker.call(route, 415, {
    body: Buffer.from('{"name":"a"}'),
    headers: { 'content-type': 'text/plain' },
  });
  const content = Buffer.from('what was uploaded by the walk');
  const name = `${folder} up.txt`;
  const upload = parsed<Upload>(await walker.call(route, 201, json({ name, size: content.length })));
  await walker.call('GET /v1/uploads/{id}', 404, { path: `/v1/uploads/${upload.id}` });
  await walker.call('GET /v1/uploads/{id}', 404, { path: '/v1/uploads/none' });
  assertEqual(
    'a form of another size',
    (await sendForm(upload, Buffer.from('too short'), options)) >= 400,
    true,
  );
  assertEqual('the status of the form', Math.floor((await sendForm(upload, content, options)) / 100), 2);
  const stored = await untilStored(walker, upload.id, options.patience ?? 60_000);
  assertEqual('the key of the upload', stored.key, upload.key);
  const { url, vaultKey } = parsed<{ url: string; vaultKey: string }>(
    await walker.call(`GET ${OBJECT}`, 200, { path: `/v1/objects/${encoded(upload.key)}` }),
  );
  const ciphertext = Buffer.from(await (await (options.fetchUrl ?? fetch)(url)).arrayBuffer());
  if (options.open)
    assertEqual(
      'what it opens to',
      (await options.open(ciphertext, vaultKey)).toString(),
      content.toString(),
    );
}

async function sendForm(upload: Upload, content: Buffer, { fetchUrl = fetch }: WalkOptions): Promise<number> {
  const form = new FormData();
  for (const [name, value] of Object.entries(upload.fields)) form.append(name, value);
  form.append('file', new Blob([Uint8Array.from(content)]), 'file');
  const answer = await fetchUrl(upload.url, { method: 'POST', body: form });
  await answer.arrayBuffer();
  return answer.status;
}

async function untilStored(walker: Walker, id: string, patience: number): Promise<{ key: string }> {
  for (const end = Date.now() + patience; Date.now() < end; await sleep(250)) {
    const answer = parsed<{ status: string; key: string }>(
      await walker.call('GET /v1/uploads/{id}', 200, { path: `/v1/uploads/${id}` }),
    );
    if (answer.status === 'stored') return answer;
    if (answer.status === 'failed') throw new Error(`the upload failed: ${JSON.stringify(answer)}`);
  }
  throw new Error('the upload was not stored in time');
}

async function walkRest(walker: Walker): Promise<void> {
  await walker.call('GET /v1/keys', 200);
  await walker.call('GET /v1/openapi.json', 200);
  await walker.call('GET /v1/health', 200);
}

function assertEqual(what: string, found: unknown, wanted: unknown): void {
  if (found !== wanted) throw new Error(`${what}: ${String(found)}, wanted ${String(wanted)}`);
}
