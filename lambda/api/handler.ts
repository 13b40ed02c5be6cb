import { createApi, routeKey, type AccessEntry, type Handler } from '../../src/gateway/api/api.js';
import { json } from '../../src/gateway/api/http.js';
import { lambdaHandler } from '../../src/gateway/api/lambda-event.js';
import { getDocument } from '../../src/gateway/api/openapi.js';
import { listKeys } from '../../src/gateway/api/public-keys.js';
import { listObjects, showObject, type ReadObjectsOptions } from '../../src/gateway/api/read-objects.js';
import { createUpload, showUpload, type UploadInbox } from '../../src/gateway/api/uploads.js';
import type { PublicKeyInfo } from '../../src/ports.js';
import { ROUTES, type ApiSettings } from '../../src/contract.js';

/** That of `put-object`. */
const MAX_PUT_BYTES = 4 * 1024 * 1024;

export interface Dependencies {
  readonly withVault: ReadObjectsOptions['withVault'];
  readonly publicKeys: () => Promise<readonly PublicKeyInfo[]>;
  readonly inbox: UploadInbox;
  readonly report: (entry: AccessEntry) => void;
}

export function createHandler(settings: ApiSettings, dependencies: Dependencies) {
  const { withVault, publicKeys, inbox, report } = dependencies;
  const uploads = { inbox, withVault, expirySeconds: settings.uploadExpirySeconds };
  const show = showObject({ withVault });
  const routes = routesOf(settings);
  const handlers: Record<string, Handler> = {
    'GET /v1/objects': listObjects({ withVault }),
    'HEAD /v1/objects/{key+}': show,
    'GET /v1/objects/{key+}': show,
    'POST /v1/uploads': createUpload(uploads),
    'GET /v1/uploads/{id}': showUpload(uploads),
    'GET /v1/keys': listKeys(publicKeys),
    'GET /v1/openapi.json': getDocument({
      routes,
      security: settings.principals.kind,
      maxPutBytes: MAX_PUT_BYTES,
    }),
    'GET /v1/health': async () => json(200, { status: 'ok' }),
  };
  return lambdaHandler(createApi({ handlers, routes, report }), settings.principals);
}

function routesOf({ routes }: ApiSettings): string[] {
  return ROUTES.filter(
    (route) =>
      (route.function !== 'delete-object' || routes.delete) &&
      (route.function !== 'decrypt-object' || routes.decrypt),
  ).map(routeKey);
}
