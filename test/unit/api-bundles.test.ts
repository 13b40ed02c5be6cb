/** The functions of the API as they are deployed: what is in them, and that they answer. */
import { describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { codeOf, inputsOf } from '../helpers/bundles.js';

const FUNCTIONS = ['api', 'put-object', 'delete-object', 'decrypt-object'] as const;
type Name = (typeof FUNCTIONS)[number];

const bundleOf = (name: Name) => `dist/lambda/${name}/index.mjs`;

const OPENING =
  /unwrap[.]ts|private-key|@aws-crypto\/(decrypt-node|raw-rsa-keyring-node|client-node)|esdk\/decrypt[.]ts/;

// Those that encrypt are in bundles.test.ts.
test.each(['api', 'delete-object'] as const)('%s holds nothing that opens messages', (name) => {
  expect(inputsOf(name).filter((path) => OPENING.test(path))).toEqual([]);
  expect(codeOf(name)).not.toMatch(/privateDecrypt|createPrivateKey/);
});

test('and what was looked for is found where it must be', () => {
  expect(inputsOf('decrypt-object').some((path) => OPENING.test(path))).toBe(true);
  expect(codeOf('decrypt-object')).toMatch(/createPrivateKey/);
});

describe('as Lambda runs it', () => {
  const settings = JSON.stringify({
    ...{ deployment: 'test', principals: { kind: 'iam', prefixes: {} }, keyNames: {}, secretsTtlSeconds: 60 },
    ...{ publicKeySet: 'k', privateKeySet: 'k', idempotency: 'i', vault: { secret: 'v' }, prefixes: ['a/'] },
    inbox: { bucket: 'b', prefix: '', suffix: '', template: '{rest}', encode: false, versioned: true },
    ...{ account: '1', uploadRole: 'r', uploadExpirySeconds: 900, routes: { delete: true, decrypt: true } },
  });
  const ROUTES: Record<Name, string> = {
    api: 'GET /v1/keys',
    'put-object': 'PUT /v1/objects/{key+}',
    'delete-object': 'DELETE /v1/objects/{key+}',
    'decrypt-object': 'POST /v1/decrypt/{key+}',
  };

  test.each(FUNCTIONS)(
    '%s refuses nobody with a problem, and writes one line of log without the path',
    (name) => {
      const [method, pattern = ''] = ROUTES[name].split(' ');
      const event = {
        routeKey: ROUTES[name],
        rawPath: pattern.replace('{key+}', 'SECRET'),
        requestContext: { http: { method } },
      };
      const program = `
      const { handler } = await import(${JSON.stringify(`${process.cwd()}/${bundleOf(name)}`)});
      const answer = await handler(${JSON.stringify(event)});
      console.log('ANSWER ' + JSON.stringify(answer));`;
      const environment = { PATH: process.env.PATH, AWS_REGION: 'us-east-1', SEALDROP_SETTINGS: settings };
      const output = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
        env: environment,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      const lines = output.trim().split('\n');
      const answer = JSON.parse(lines.find((line) => line.startsWith('ANSWER '))!.slice(7)) as {
        statusCode: number;
      };
      expect(answer).toMatchObject({
        statusCode: 401,
        headers: { 'content-type': 'application/problem+json' },
      });
      const log = lines.filter((line) => line.startsWith('{'));
      expect(log).toHaveLength(1);
      expect(JSON.parse(log[0]!)).toMatchObject({ status: 401, route: ROUTES[name], code: 'unauthorized' });
      expect(log[0]).not.toContain('SECRET');
    },
  );
});
