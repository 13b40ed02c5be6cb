// The command, as its users start it.
import { BUCKET } from '../harness/lab.mjs';

/** What every peer at a MinIO is told in its environment. */
export function storeEnvironment({ env }, { credentials, endpoint, region, caBundle }) {
  return {
    ...env,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    AWS_ENDPOINT_URL: endpoint,
    ...(caBundle !== undefined && { AWS_CA_BUNDLE: caBundle }),
  };
}

const FORMATS = {
  sealdrop: { put: (keys) => ['--public-key', keys.public], get: (keys) => ['--private-key', keys.private] },
  'sealdrop plain': {
    put: () => ['--format', 'plain', '--sse', 'none'],
    get: () => ['--format', 'plain'],
  },
};

/** @returns its two ways to transfer a file, and the names that its objects have */
export function sealdropPeer(kind, { build, keys, extra = [] }) {
  const object = build.named(kind).replaceAll(/\W/g, '-');
  const argv = (...args) => [process.execPath, build.command, ...args, '--quiet', ...extra];
  return {
    name: build.named(kind),
    object,
    put: (file) => argv('put', file, `s3://${BUCKET}/${object}`, ...FORMATS[kind].put(keys)),
    get: (file) => argv('get', `s3://${BUCKET}/${object}`, file, ...FORMATS[kind].get(keys)),
  };
}

export const SEALDROP_KINDS = Object.keys(FORMATS);
