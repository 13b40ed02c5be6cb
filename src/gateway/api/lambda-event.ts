/**
 * API Gateway's HTTP API, payload format 2.0, as requests and answers.
 * Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
 */
import type { PrincipalSettings } from '../../contract.js';
import { SealdropError } from '../../errors.js';
import type { Api } from './api.js';
import type { ApiRequest, ApiResponse } from './http.js';
import { principalOf, type Authorizer } from './principal.js';

/** The route of what has no other. */
const UNROUTED = '$default';

/** What is used of an event. */
export interface HttpApiEvent {
  readonly routeKey: string;
  readonly rawPath: string;
  readonly rawQueryString?: string;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly body?: string | null;
  readonly isBase64Encoded?: boolean;
  readonly requestContext: {
    readonly domainName?: string;
    readonly stage?: string;
    readonly http: { readonly method: string };
    readonly authorizer?: Authorizer;
  };
}

export interface HttpApiResult {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly isBase64Encoded: boolean;
}

export function lambdaHandler(api: Api, principals: PrincipalSettings) {
  return async (event: HttpApiEvent): Promise<HttpApiResult> =>
    resultOf(await api(requestOf(event, principals)));
}

function requestOf(event: HttpApiEvent, principals: PrincipalSettings): ApiRequest {
  const { rawQueryString = '', requestContext } = event;
  const headers = lowerCase(event.headers ?? {});
  const body = Buffer.from(event.body ?? '', event.isBase64Encoded === true ? 'base64' : 'utf8');
  return {
    method: requestContext.http.method,
    path: pathOf(event),
    query: new URLSearchParams(rawQueryString),
    headers,
    body: { size: body.length, read: () => once(body, event, headers) },
    base: `https://${requestContext.domainName ?? 'localhost'}${stagePath(requestContext.stage)}`,
    unrouted: event.routeKey === UNROUTED,
    authenticate: () => principalOf(requestContext.authorizer, principals),
  };
}

async function* once(
  body: Buffer,
  { isBase64Encoded, body: text }: HttpApiEvent,
  headers: ApiRequest['headers'],
): AsyncGenerator<Uint8Array> {
  if (isBase64Encoded !== true && !isWhole(text ?? '', body.length, headers))
    throw new SealdropError('unsupported_media_type', 'the body is said to be text, and is not UTF-8', {
      hint: 'send the bytes as content-type: application/octet-stream',
    });
  if (body.length > 0) yield body;
}

/**
 * API Gateway hands `text/*`, JSON, XML and JavaScript on as text, and what is not UTF-8 is lost by then: U+FFFD stands in
 * its place. A text that really holds one is refused with them: which it was cannot be told.
 */
function isWhole(text: string, bytes: number, headers: ApiRequest['headers']): boolean {
  const { 'content-length': length = String(bytes), 'content-type': type = '' } = headers;
  const [, charset = 'utf-8'] = /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(type) ?? [];
  if (!/^(utf-?8|us-ascii)$/i.test(charset) || /[\uFFFD\p{Cs}]/u.test(text)) return false;
  return Number(length) === bytes;
}

/**
 * An HTTP API has decoded the path already, all but `%25`, so that is all that is left to decode. Any other percent sign
 * would mean a gateway that does it differently: then nobody knows what was meant, and the request is refused.
 */
function pathOf({ rawPath, requestContext, routeKey }: HttpApiEvent): string | undefined {
  const stage = stagePath(requestContext.stage);
  const path = stage !== '' && rawPath.startsWith(`${stage}/`) ? rawPath.slice(stage.length) : rawPath;
  if (/%(?!25)/.test(path) || !agrees(routeKey, requestContext.http.method, path)) return undefined;
  return path.replaceAll('%25', '%');
}

/** The route that API Gateway chose, whose authorizer has run, must be the one that is found here. */
function agrees(routeKey: string, method: string, path: string): boolean {
  if (routeKey === UNROUTED) return true;
  const [chosen, pattern = ''] = routeKey.split(' ');
  const fixed = pattern.split('{')[0]!;
  return chosen === method && (fixed === pattern ? path === pattern : path.startsWith(fixed));
}

const stagePath = (stage = '$default'): string => (stage === '$default' ? '' : `/${stage}`);

function lowerCase(
  headers: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function resultOf({ status, headers, body = '' }: ApiResponse): HttpApiResult {
  if (typeof body === 'string') return { statusCode: status, headers, body, isBase64Encoded: false };
  if (!(body instanceof Uint8Array)) throw new TypeError('a function answers with whole bodies');
  return { statusCode: status, headers, body: Buffer.from(body).toString('base64'), isBase64Encoded: true };
}
