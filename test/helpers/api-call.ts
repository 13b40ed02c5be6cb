/** The functions of the API as API Gateway calls them, on a store in memory with real keys. */
import { randomBytes } from 'node:crypto';
import { createHandler as createApi } from '../../lambda/api/handler.js';
import { createHandler as createDecrypt } from '../../lambda/decrypt-object/handler.js';
import { createHandler as createDelete } from '../../lambda/delete-object/handler.js';
import { createHandler as createPut } from '../../lambda/put-object/handler.js';
import { ROUTES, type PrincipalSettings } from '../../src/contract.js';
import type { AccessEntry } from '../../src/gateway/api/api.js';
import type { DecryptEntry } from '../../src/gateway/api/decrypt-object.js';
import type { HttpApiEvent, HttpApiResult } from '../../src/gateway/api/lambda-event.js';
import type { Arrived, FormRequest, UploadInbox } from '../../src/gateway/api/uploads.js';
import { vaultKeyOf } from '../../src/gateway/key-template.js';
import { publicKeyInfo } from '../../src/keys/public-key.js';
import { Secret } from '../../src/secret.js';
import { MemoryStore } from '../../src/store/memory.js';
import { decryptorFor, encryptorFor, NAMES, rsaPair } from './keys.js';

export const ACCOUNT = '123456789012';
export const VAULT_PREFIX = 'vault/';
const pair = rsaPair();
export const encryptor = encryptorFor(pair);
export const decryptor = decryptorFor(pair);
const idempotencyKey = new Secret(randomBytes(32));

export interface Gateway {
  readonly store: MemoryStore;
  readonly entries: AccessEntry[];
  readonly audited: DecryptEntry[];
  readonly forms: FormRequest[];
  /** What lies in the inbox. */
  readonly arrived: Arrived[];
  call(request: CallRequest): Promise<Answer>;
}

export interface CallRequest {
  readonly method?: string;
  /** As API Gateway hands it on: decoded, but for %25. */
  readonly path: string;
  readonly query?: string;
  readonly headers?: Record<string, string>;
  readonly body?: Buffer | string;
  /** API Gateway took it for text: what of it is not UTF-8 is lost. */
  readonly asText?: true;
  /** Name of a role. Null: nobody was authenticated. */
  readonly role?: string | null;
  /** `$default`: API Gateway found none. Default: the route that it would choose. */
  readonly routeKey?: '$default';
  readonly authorizer?: HttpApiEvent['requestContext']['authorizer'];
}

export interface Answer extends HttpApiResult {
  readonly bytes: Buffer;
  /** The body, where it is JSON. */
  readonly document: Record<string, unknown>;
}

export interface GatewayOptions {
  readonly principals?: PrincipalSettings;
  readonly inbox?: { prefix?: string; suffix?: string; template?: string; encode?: boolean };
  readonly prefixes?: readonly string[];
  readonly routes?: { delete: boolean; decrypt: boolean };
}

export const PRINCIPALS: PrincipalSettings = {
  kind: 'iam',
  prefixes: {
    [`${ACCOUNT}:role/alice`]: 'alice/',
    [`${ACCOUNT}:role/al`]: 'al/',
    [`${ACCOUNT}:role/bob`]: 'bob/',
    [`${ACCOUNT}:user/carol`]: 'team/carol/',
  },
};

export function createGateway(options: GatewayOptions = {}): Gateway {
  const {
    principals = PRINCIPALS,
    prefixes = ['alice/', 'bob/'],
    routes = { delete: true, decrypt: true },
  } = options;
  const store = new MemoryStore();
  const place = { store, prefix: VAULT_PREFIX };
  const [entries, audited, forms, arrived] = [[], [], [], []] as [
    AccessEntry[],
    DecryptEntry[],
    FormRequest[],
    Arrived[],
  ];
  const report = (entry: AccessEntry) => void entries.push(entry);
  const settings = { deployment: 'test', principals, secretsTtlSeconds: 60, vault: { secret: 'vault' } };
  const encrypting = { ...settings, publicKeySet: 'keys', keyNames: {}, idempotency: 'idempotency' };
  const inbox = {
    bucket: 'inbox',
    prefix: '',
    suffix: '',
    template: '{rest}',
    encode: false,
    versioned: true,
  };
  const api = createApi(
    {
      ...encrypting,
      inbox: { ...inbox, ...options.inbox },
      account: ACCOUNT,
      uploadRole: 'upload',
      uploadExpirySeconds: 900,
      routes,
    },
    {
      withVault: (use) =>
        use({ ...place, link: async (key) => ({ url: `https://vault/${key}`, expires: new Date() }) }),
      publicKeys: async () => [publicKeyInfo({ ...NAMES, publicKey: pair.publicKey })],
      inbox: memoryInbox({ ...inbox, ...options.inbox }, forms, arrived),
      report,
    },
  );
  const functions = {
    api,
    'put-object': createPut(encrypting, {
      withParts: (use) => use({ ...place, encryptor, idempotencyKey }),
      report,
    }),
    'delete-object': createDelete(settings, { withVault: (use) => use(place), report }),
    'decrypt-object': createDecrypt(
      { ...settings, privateKeySet: 'private', prefixes },
      { withParts: (use) => use({ ...place, decryptor }), audit: (entry) => audited.push(entry), report },
    ),
  };
  return { store, entries, audited, forms, arrived, call: (request) => call(request, functions) };
}

type Functions = Record<string, (event: HttpApiEvent) => Promise<HttpApiResult>>;

/** Chooses the function as API Gateway chooses a route: by the decoded path. */
async function call(request: CallRequest, functions: Functions): Promise<Answer> {
  const { method = 'GET', path } = request;
  const route = ROUTES.find(
    (each) =>
      request.routeKey === undefined &&
      each.method === method &&
      new RegExp(
        `^${each.path.replace('{key+}', '.+').replace('{id}', '[^/]+').replace('.json', '[.]json')}$`,
        's',
      ).test(path),
  );
  const event = eventOf(request, route === undefined ? '$default' : `${method} ${route.path}`);
  const result = await functions[route?.function ?? 'api']!(event);
  const bytes = Buffer.from(result.body, result.isBase64Encoded ? 'base64' : 'utf8');
  const json = /json/.test(result.headers['content-type'] ?? '') && bytes.length > 0;
  return { ...result, bytes, document: json ? JSON.parse(bytes.toString()) : {} };
}

export function eventOf(request: CallRequest, routeKey: string): HttpApiEvent {
  const { method = 'GET', path, query = '', headers = {}, body, role = 'alice' } = request;
  const authorizer = request.authorizer ?? (role === null ? undefined : roleAuthorizer(role));
  return {
    routeKey,
    rawPath: path,
    rawQueryString: query,
    headers,
    ...(body !== undefined && {
      body: Buffer.from(body).toString(request.asText ? 'utf8' : 'base64'),
      isBase64Encoded: request.asText !== true,
    }),
    requestContext: {
      domainName: 'api.test',
      stage: '$default',
      http: { method },
      ...(authorizer && { authorizer }),
    },
  };
}

export const roleAuthorizer = (role: string, session = 'session') => ({
  iam: { accountId: ACCOUNT, userArn: `arn:aws:sts::${ACCOUNT}:assumed-role/${role}/${session}` },
});

function memoryInbox(
  inbox: { bucket: string; prefix: string; suffix: string; template: string; encode: boolean },
  forms: FormRequest[],
  arrived: Arrived[],
): UploadInbox {
  return {
    ...inbox,
    vaultKey: (key, vaultPrefix) => vaultKeyOf(inbox, vaultPrefix, key),
    form: async (form) => {
      forms.push(form);
      return { url: 'https://inbox/', fields: { key: form.key } };
    },
    find: async (prefix) => arrived.find(({ key }) => key.startsWith(prefix)),
  };
}
