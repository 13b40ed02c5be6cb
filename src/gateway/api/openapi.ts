/** The OpenAPI 3.1 document of a deployment: the routes that it has, and no other. */
import { ROUTES, SCOPES } from '../../contract.js';
import { routeKey, type Handler, type Route } from './api.js';
import { json } from './http.js';
import { LIST_QUERY, SCHEMAS, UPLOAD_ID, type Schema, type SchemaName } from './schemas.js';

export interface DocumentOptions {
  /** Route keys. */
  readonly routes: readonly string[];
  readonly base: string;
  /** How callers show who they are. */
  readonly security: 'iam' | 'jwt' | 'token';
  /** Limit of `PUT`, where there is one. */
  readonly maxPutBytes?: number;
}

interface Operation {
  readonly id: string;
  readonly summary: string;
  readonly description?: string;
  readonly status: number;
  readonly answer?: SchemaName | 'bytes';
  readonly body?: SchemaName | 'bytes';
  readonly query?: Readonly<Record<string, Schema>>;
  readonly headers?: readonly string[];
  /** Of the failures that belong to this route alone. */
  readonly failures: readonly number[];
}

/** What API Gateway answers itself, before any function: not authenticated, not allowed, too large, too often, too slow. */
const BY_GATEWAY = [401, 403, 413, 429, 500, 503];

const OPERATIONS: Readonly<Record<string, Operation>> = {
  'PUT /v1/objects/{key+}': {
    ...{ id: 'putObject', summary: 'Encrypt the body and store it', status: 201, answer: 'StoredObject' },
    ...{ body: 'bytes', headers: ['if-none-match'], failures: [400, 412, 413, 415, 502, 503, 507] },
  },
  'GET /v1/objects': {
    ...{ id: 'listObjects', summary: 'List objects below your prefix', status: 200, answer: 'ObjectList' },
    ...{ query: LIST_QUERY, failures: [400, 502, 503] },
  },
  'HEAD /v1/objects/{key+}': {
    ...{
      id: 'headObject',
      summary: 'Ask whether an object is there',
      status: 200,
      failures: [400, 404, 502, 503],
    },
  },
  'GET /v1/objects/{key+}': {
    ...{ id: 'getObject', summary: 'Get a URL of the ciphertext', status: 200, answer: 'ObjectLink' },
    failures: [400, 404, 502, 503],
  },
  'DELETE /v1/objects/{key+}': {
    ...{ id: 'deleteObject', summary: 'Delete an object', status: 204, failures: [400, 502, 503] },
    description: 'Deleting what is not there is no failure.',
  },
  'POST /v1/uploads': {
    ...{ id: 'createUpload', summary: 'Get a form for a large object', status: 201, answer: 'Upload' },
    ...{ body: 'UploadRequest', failures: [400, 409, 413, 415, 502, 503] },
  },
  'GET /v1/uploads/{id}': {
    ...{ id: 'getUpload', summary: 'Ask what became of an upload', status: 200, answer: 'UploadStatus' },
    ...{ failures: [400, 404, 409, 502, 503], description: '404 until the form has been sent to its end.' },
  },
  'GET /v1/keys': {
    ...{ id: 'listKeys', summary: 'The public keys that objects are wrapped to', status: 200 },
    ...{ answer: 'PublicKeys', failures: [502, 503] },
  },
  'GET /v1/openapi.json': {
    ...{ id: 'getDocument', summary: 'This document', status: 200, failures: [] },
  },
  'GET /v1/health': {
    ...{ id: 'getHealth', summary: 'Whether the API answers', status: 200, answer: 'Health', failures: [] },
  },
  'POST /v1/decrypt/{key+}': {
    ...{ id: 'decryptObject', summary: 'Decrypt a small object', status: 200, answer: 'bytes' },
    ...{ failures: [400, 404, 413, 422, 502, 503] },
    description:
      'Only objects that were made for exactly this key; nothing is answered before all was authenticated.',
  },
};

export function getDocument(options: Omit<DocumentOptions, 'base'>): Handler {
  return async ({ request }) => json(200, openApiDocument({ ...options, base: request.base }));
}

export function openApiDocument(options: DocumentOptions) {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of ROUTES.filter((each) => options.routes.includes(routeKey(each)))) {
    // `{key+}` is API Gateway's; OpenAPI has no word for parameters with slashes in them.
    const path = route.path.replace('+}', '}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route, options) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'sealdrop',
      version: '1',
      description:
        'Keys are relative to your prefix. A slash in a key may be written as it is; all else is percent-encoded once.',
    },
    servers: [{ url: options.base }],
    paths,
    components: { schemas: SCHEMAS, securitySchemes: { caller: securityScheme(options.security) } },
  };
}

function operation(route: Route, { maxPutBytes, security }: DocumentOptions) {
  const { id, summary, description, status, answer, body, query, headers, failures } =
    OPERATIONS[routeKey(route)]!;
  const limit = body === 'bytes' && maxPutBytes !== undefined ? `At most ${maxPutBytes} bytes.` : undefined;
  const gateway = security === 'token' ? [] : BY_GATEWAY;
  const codes = new Set([...failures, ...(route.scope === undefined ? [] : [401, 403]), ...gateway, 500]);
  const scopes = route.scope !== undefined && security === 'jwt' ? [SCOPES[route.scope]] : [];
  return {
    operationId: id,
    summary,
    ...((description ?? limit) !== undefined && { description: description ?? limit }),
    security: route.scope === undefined ? [] : [{ caller: scopes }],
    parameters: [...pathParameters(route.path), ...queryParameters(query), ...headerParameters(headers)],
    ...(body !== undefined && { requestBody: { required: body !== 'bytes', content: contentOf(body) } }),
    responses: {
      [status]: success(route, answer),
      ...Object.fromEntries(
        [...codes].map((code) => [code, route.method === 'HEAD' ? FAILED : failure(gateway.includes(code))]),
      ),
    },
  };
}

function pathParameters(path: string): object[] {
  const name = /\{(\w+)\+?\}/.exec(path)?.[1];
  if (name === undefined) return [];
  const schema = name === 'id' ? { type: 'string', pattern: UPLOAD_ID } : { type: 'string', minLength: 1 };
  const description = name === 'key' ? 'May hold slashes.' : undefined;
  return [{ name, in: 'path', required: true, schema, ...(description !== undefined && { description }) }];
}

function queryParameters(query: Operation['query'] = {}): object[] {
  return Object.entries(query).map(([name, schema]) => ({ name, in: 'query', required: false, schema }));
}

function headerParameters(headers: readonly string[] = []): object[] {
  return headers.map((name) => ({
    ...{ name, in: 'header', required: false },
    schema: { type: 'string', enum: ['*'] },
  }));
}

function contentOf(name: SchemaName | 'bytes') {
  if (name === 'bytes') return { 'application/octet-stream': {} };
  return { 'application/json': { schema: { $ref: `#/components/schemas/${name}` } } };
}

function success({ path, method }: Route, answer: Operation['answer']) {
  const document = path.endsWith('openapi.json') && {
    content: { 'application/json': { schema: { type: 'object' } } },
  };
  const number = { schema: { type: 'string', pattern: '^\\d+$' } };
  const sizes = path === '/v1/objects/{key+}' && ['GET', 'HEAD'].includes(method);
  return {
    description: 'Done',
    ...(sizes && { headers: { 'sealdrop-size': number, 'sealdrop-stored-size': number } }),
    ...document,
    ...(answer !== undefined && { content: contentOf(answer) }),
  };
}

const FAILED = { description: 'Failed' };

function failure(byGateway: boolean) {
  const content = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } };
  return { ...FAILED, content: { ...content, ...(byGateway && contentOf('GatewayMessage')) } };
}

function securityScheme(security: DocumentOptions['security']) {
  if (security === 'token') return { type: 'http', scheme: 'bearer' };
  if (security === 'jwt') return { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' };
  return {
    ...{ type: 'apiKey', name: 'authorization', in: 'header' },
    description: 'AWS Signature Version 4, service execute-api.',
  };
}
