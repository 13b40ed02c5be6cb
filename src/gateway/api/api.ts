/** The router: a request in, an answer out, and every failure a problem document. */
import { ROUTES } from '../../contract.js';
import { SealdropError } from '../../errors.js';
import type { ApiRequest, ApiResponse } from './http.js';
import type { Principal } from './principal.js';
import { problemResponse } from './problem.js';

export type Route = (typeof ROUTES)[number];

/** `METHOD path`, as ROUTES has them and as API Gateway calls its routes. */
export const routeKey = ({ method, path }: Pick<Route, 'method' | 'path'>): string => `${method} ${path}`;

export interface Call {
  readonly request: ApiRequest;
  /** Absent only on routes without a scope. */
  readonly principal: Principal | undefined;
  /** The `{key+}` or `{id}` of the path. */
  readonly parameter: string;
}

/** A call on a route with a scope. */
export type OwnCall = Call & { readonly principal: Principal };

export type Handler = (call: OwnCall) => Promise<ApiResponse>;

export interface ApiOptions {
  /** By route key; routes that are left out are not there. */
  readonly handlers: Readonly<Record<string, Handler>>;
  /** Keys of the whole API's routes, where others serve some. Default: those of `handlers`. */
  readonly routes?: readonly string[];
  /** What became of a request, for a log. `error` is there for failures. Never holds a query or a body. */
  readonly report?: (entry: AccessEntry) => void;
}

export interface AccessEntry {
  readonly method: string;
  readonly route: string;
  readonly principal?: string;
  /** Below the vault's prefix. */
  readonly key?: string;
  readonly status: number;
  readonly milliseconds: number;
  readonly error?: unknown;
}

export type Api = (request: ApiRequest) => Promise<ApiResponse>;

export function createApi({ handlers, routes = Object.keys(handlers), report }: ApiOptions): Api {
  const known = ROUTES.filter((route) => routes.includes(routeKey(route)));
  return async (request) => {
    const began = performance.now();
    const seen: { route: string; principal?: string; key?: string } = { route: 'none' };
    const log = (status: number, error?: unknown) =>
      report?.({
        method: request.method,
        ...seen,
        status,
        milliseconds: Math.round(performance.now() - began),
        ...(error !== undefined && { error }),
      });
    try {
      const { route, parameter } = findRoute(known, request);
      if (request.unrouted === true || !Object.hasOwn(handlers, routeKey(route))) throw noRoute();
      seen.route = routeKey(route);
      const principal = route.scope === undefined ? undefined : request.authenticate();
      if (principal !== undefined) seen.principal = principal.id;
      if (principal !== undefined && route.path.endsWith('{key+}')) seen.key = principal.prefix + parameter;
      const answer = await handlers[seen.route]!({ request, principal, parameter } as OwnCall);
      log(answer.status);
      return request.method === 'HEAD' ? withoutBody(answer) : answer;
    } catch (error) {
      const allow = error instanceof WrongMethod ? { allow: error.allow } : undefined;
      const answer = problemResponse(error, allow);
      log(answer.status, error);
      return request.method === 'HEAD' ? withoutBody(answer) : answer;
    }
  };
}

class WrongMethod extends SealdropError {
  constructor(readonly allow: string) {
    super('method_not_allowed', `this route has ${allow}`);
  }
}

function findRoute(
  routes: readonly Route[],
  { method, path }: ApiRequest,
): { route: Route; parameter: string } {
  if (path === undefined) throw new SealdropError('invalid_request', 'the path is not percent-encoded UTF-8');
  const matches = routes.flatMap((route) => {
    const parameter = parameterOf(route.path, path);
    return parameter === undefined ? [] : [{ route, parameter }];
  });
  const found = matches.find(({ route }) => route.method === method);
  if (found !== undefined) return found;
  if (matches.length > 0) throw new WrongMethod(matches.map(({ route }) => route.method).join(', '));
  throw noRoute();
}

function noRoute(): SealdropError {
  return new SealdropError('route_not_found', 'there is no such route', {
    hint: 'GET /v1/openapi.json lists the routes',
  });
}

/** The path's parameter, empty for a path without one; undefined where the path is another. */
function parameterOf(pattern: string, path: string): string | undefined {
  const at = pattern.indexOf('{');
  if (at < 0) return path === pattern ? '' : undefined;
  if (!path.startsWith(pattern.slice(0, at)) || path.length === at) return undefined;
  const value = path.slice(at);
  return pattern.endsWith('+}') || !value.includes('/') ? value : undefined;
}

function withoutBody({ status, headers }: ApiResponse): ApiResponse {
  return { status, headers };
}
