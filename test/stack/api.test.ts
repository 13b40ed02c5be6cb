/** The API's routes, who may call them, and what each of its functions may do. */
import { describe, expect, test } from '@jest/globals';
import { Duration } from 'aws-cdk-lib';
import type { Template } from 'aws-cdk-lib/assertions';
import * as s3 from 'aws-cdk-lib/aws-s3';
import { ROUTES, SCOPES } from '../../src/contract.js';
import { ACCOUNT, IAM_CALLERS, REGION, statementsOf, synthesizeApi, text } from '../helpers/synth.js';

const EVERYTHING = () => ({
  vaultDeleteSecretName: 'sealdrop/test/vault-delete',
  decrypt: { privateKeySetSecretName: 'sealdrop/test/private-keys', prefixes: ['lab/open/'] },
});
const JWT = {
  kind: 'jwt' as const,
  issuer: 'https://issuer.example/',
  audience: ['sealdrop'],
  claim: 'prefix',
};

const routesOf = (template: Template) =>
  Object.values(template.findResources('AWS::ApiGatewayV2::Route')).map((route) => route.Properties);
const keysOf = (template: Template) =>
  routesOf(template)
    .map((route) => String(route.RouteKey))
    .sort();
const secretsOf = (template: Template, role: string) =>
  statementsOf(template, role)
    .filter(({ actions }) => actions.includes('secretsmanager:GetSecretValue'))
    .flatMap(({ resources }) => resources)
    .map((arn) => arn.replace(`arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:`, ''))
    .sort();
const actionsOf = (template: Template, role: string) =>
  statementsOf(template, role)
    .flatMap(({ actions }) => actions)
    .filter((action) => !/^(logs|xray):/.test(action))
    .sort();

const least = synthesizeApi().template;
const most = synthesizeApi(EVERYTHING).template;
const byToken = synthesizeApi(() => ({ ...EVERYTHING(), callers: JWT })).template;
const key = ({ method, path }: { method: string; path: string }) => `${method} ${path}`;

describe('routes', () => {
  test('are those of the contract; what is unknown is answered too', () => {
    expect(keysOf(most)).toEqual([...ROUTES.map(key), '$default'].sort());
  });

  test('without more, nothing is deleted and nothing decrypted', () => {
    const always = ROUTES.filter((route) => !['delete-object', 'decrypt-object'].includes(route.function));
    expect(keysOf(least)).toEqual([...always.map(key), '$default'].sort());
    expect(
      Object.keys(least.findResources('AWS::Lambda::Function')).filter((id) =>
        /^Api(Delete|Decrypt)/.test(id),
      ),
    ).toEqual([]);
  });

  test('all but health ask for a signature', () => {
    for (const route of routesOf(most))
      expect([route.RouteKey, route.AuthorizationType]).toEqual([
        route.RouteKey,
        route.RouteKey === 'GET /v1/health' ? 'NONE' : 'AWS_IAM',
      ]);
  });

  test('or, where tokens are used, for a token of the audience with the scope of the route', () => {
    for (const route of routesOf(byToken)) {
      if (route.RouteKey === 'GET /v1/health') {
        expect(route.AuthorizationType).toBe('NONE');
        continue;
      }
      const scope = ROUTES.find((each) => key(each) === route.RouteKey)?.scope ?? 'read';
      expect([route.RouteKey, route.AuthorizationType, route.AuthorizationScopes]).toEqual([
        route.RouteKey,
        'JWT',
        [SCOPES[scope]],
      ]);
      expect(route.AuthorizerId).toBeDefined();
    }
    byToken.hasResourceProperties('AWS::ApiGatewayV2::Authorizer', {
      AuthorizerType: 'JWT',
      JwtConfiguration: { Issuer: JWT.issuer, Audience: JWT.audience },
    });
  });

  test('there is no CORS, a throttle, and a log without keys, queries or headers', () => {
    const [api] = Object.values(least.findResources('AWS::ApiGatewayV2::Api'));
    expect(api!.Properties).not.toHaveProperty('CorsConfiguration');
    const [stage] = Object.values(least.findResources('AWS::ApiGatewayV2::Stage'));
    expect(stage!.Properties.DefaultRouteSettings).toEqual({
      ThrottlingRateLimit: 50,
      ThrottlingBurstLimit: 100,
    });
    const { Format } = stage!.Properties.AccessLogSettings;
    expect(Format).toContain('$context.routeKey');
    expect(Format).not.toMatch(/context\.(path|querystring)|authorization"|header/i);
  });

  test('only the API itself, each route of it, may call its function', () => {
    for (const permission of Object.values(most.findResources('AWS::Lambda::Permission'))) {
      expect(permission.Properties.Principal).toBe('apigateway.amazonaws.com');
      expect(text(permission.Properties.SourceArn)).toMatch(
        /^arn:aws:execute-api:.*<ApiHttpApi[0-9A-F]+>\/\*\/\*?/,
      );
    }
  });
});

describe('roles', () => {
  test('the API’s own reads public keys, ciphertext and the status of uploads, and no plaintext', () => {
    expect(secretsOf(most, 'ApiRole')).toEqual([
      'sealdrop/test/public-keys-??????',
      'sealdrop/test/vault-read-??????',
    ]);
    expect(actionsOf(most, 'ApiRole')).toEqual([
      's3:GetObjectTagging',
      's3:GetObjectVersionTagging',
      's3:ListBucket',
      'secretsmanager:GetSecretValue',
      'sts:AssumeRole',
    ]);
  });

  test('what encrypts a request has the secrets of the gateway’s function, and no way to the inbox', () => {
    expect(secretsOf(most, 'ApiPutObjectRole')).toEqual(secretsOf(most, 'GatewayEncryptObjectRole'));
    expect(actionsOf(most, 'ApiPutObjectRole')).toEqual(['secretsmanager:GetSecretValue']);
  });

  test('what deletes has one secret', () => {
    expect(secretsOf(most, 'ApiDeleteObjectRole')).toEqual(['sealdrop/test/vault-delete-??????']);
    expect(actionsOf(most, 'ApiDeleteObjectRole')).toEqual(['secretsmanager:GetSecretValue']);
  });

  test('the private key set is read by the decrypting function alone', () => {
    expect(secretsOf(most, 'ApiDecryptObjectRole')).toEqual([
      'sealdrop/test/private-keys-??????',
      'sealdrop/test/vault-read-??????',
    ]);
    const policies = Object.entries(most.findResources('AWS::IAM::Policy'));
    const reading = policies
      .filter(([, policy]) => JSON.stringify(policy).includes('private-keys'))
      .map(([id]) => id);
    expect(reading).toEqual([expect.stringMatching(/^ApiDecryptObjectRole/)]);
    expect(JSON.stringify(least.toJSON())).not.toContain('private-keys');
  });

  test('its log outlives the stack', () => {
    const logs = Object.entries(most.findResources('AWS::Logs::LogGroup'));
    const kept = logs.filter(([, log]) => log.DeletionPolicy === 'Retain');
    expect(kept.map(([id, log]) => [id.replace(/[0-9A-F]{8}$/, ''), log.Properties.RetentionInDays])).toEqual(
      [['ApiDecryptObjectLog', 365]],
    );
  });

  test('uploads are signed by a role that puts below the uploads’ folder, and is the API’s alone', () => {
    const { template } = synthesizeApi(undefined, () => ({
      inboxes: [{ prefix: 'in/', suffix: '.csv', vaultKeyTemplate: '{rest}' }],
    }));
    expect(statementsOf(template, 'ApiUploadRole')).toEqual([
      {
        effect: 'Allow',
        actions: ['s3:PutObject'],
        resources: [
          expect.stringMatching(/^<GatewayInboxBucket[0-9A-F]+\.Arn>\/in\/\*\/uploads\/\*\.csv$/),
          expect.stringMatching(/^<GatewayInboxBucket[0-9A-F]+\.Arn>\/in\/uploads\/\*\.csv$/),
        ],
        conditions: '{}',
      },
    ]);
    const [upload] = Object.entries(template.findResources('AWS::IAM::Role')).filter(([id]) =>
      id.startsWith('ApiUploadRole'),
    );
    const trust = upload![1].Properties.AssumeRolePolicyDocument.Statement;
    expect(trust.map((statement: { Principal: object }) => text(statement.Principal))).toEqual([
      expect.stringMatching(/^\{"AWS":"<ApiRole[0-9A-F]+\.Arn>"\}$/),
    ]);
  });
});

test('several callers may share a prefix', () => {
  const prefixes = { [`${ACCOUNT}:role/a`]: 'a/', [`${ACCOUNT}:user/a`]: 'a/', [`${ACCOUNT}:role/b`]: 'ab/' };
  expect(() => synthesizeApi(() => ({ callers: { kind: 'iam', prefixes } }))).not.toThrow();
});

test('a vault on AWS is read and deleted from by roles, below its prefix, without a secret', () => {
  const { template } = synthesizeApi(
    () => ({ vaultReadSecretName: undefined, allowDelete: true }),
    (stack) => ({
      vaultWriteSecretName: undefined,
      vaultBucket: { bucket: s3.Bucket.fromBucketName(stack, 'Vault', 'the-vault'), prefix: 'sealed/' },
    }),
  );
  const onVault = (role: string) =>
    statementsOf(template, role)
      .filter(({ resources }) => resources.some((arn) => arn.includes('the-vault')))
      .map(({ actions, resources, conditions }) => [actions, resources, conditions]);
  const list = [
    ['s3:ListBucket'],
    ['arn:aws:s3:::the-vault'],
    '{"StringLikeIfExists":{"s3:prefix":"sealed/*"}}',
  ];
  expect(onVault('ApiRole')).toEqual([[['s3:GetObject'], ['arn:aws:s3:::the-vault/sealed/*'], '{}'], list]);
  // Delete only: not even whether there is anything.
  expect(actionsOf(template, 'ApiDeleteObjectRole')).toEqual(['s3:DeleteObject']);
  expect(onVault('ApiDeleteObjectRole')).toEqual([
    [['s3:DeleteObject'], ['arn:aws:s3:::the-vault/sealed/*'], '{}'],
  ]);
});

describe('refused when the template is made', () => {
  const refused: [
    string,
    RegExp,
    Parameters<typeof synthesizeApi>[0],
    Parameters<typeof synthesizeApi>[1]?,
  ][] = [
    ['no secret to read the vault with', /vaultReadSecretName/, () => ({ vaultReadSecretName: undefined })],
    [
      'a prefix that is no folder',
      /not a prefix/,
      () => ({ callers: { kind: 'iam', prefixes: { [`${ACCOUNT}:role/a`]: 'lab' } } }),
    ],
    [
      'the prefix of all',
      /not a prefix/,
      () => ({ callers: { kind: 'iam', prefixes: { [`${ACCOUNT}:role/a`]: '/' } } }),
    ],
    [
      'a prefix that leads elsewhere',
      /not a prefix/,
      () => ({ callers: { kind: 'iam', prefixes: { [`${ACCOUNT}:role/a`]: 'a/../b/' } } }),
    ],
    [
      'a caller by session',
      /not a caller/,
      () => ({ callers: { kind: 'iam', prefixes: { [`${ACCOUNT}:assumed-role/a/b`]: 'a/' } } }),
    ],
    ...['role/path/a', 'user/path/a'].map((caller): (typeof refused)[number] => [
      `${caller}: no request is ever signed with a path`,
      /without the path/,
      () => ({ callers: { kind: 'iam', prefixes: { [`${ACCOUNT}:${caller}`]: 'a/' } } }),
    ]),
    [
      'a caller’s prefix inside of another’s',
      /"a\/b\/".*"a\/"/,
      () => ({
        callers: { kind: 'iam', prefixes: { [`${ACCOUNT}:role/a`]: 'a/', [`${ACCOUNT}:role/b`]: 'a/b/' } },
      }),
    ],
    ...(
      [
        ['vaultReadSecretName', { vaultReadSecretName: 'sealdrop/test/vault-write' }],
        ['vaultDeleteSecretName', { vaultDeleteSecretName: 'sealdrop/test/vault-read' }],
        [
          'privateKeySetSecretName',
          { decrypt: { privateKeySetSecretName: 'sealdrop/test/public-keys', prefixes: ['lab/'] } },
        ],
      ] as const
    ).map(([name, props]): (typeof refused)[number] => [
      `${name} that is another secret already`,
      new RegExp(`and .*${name}.* the same secret`),
      () => props,
    ]),
    ['tokens for anybody', /audience/, () => ({ callers: { ...JWT, audience: [] } })],
    [
      'opening without prefixes',
      /prefixes/,
      () => ({ decrypt: { privateKeySetSecretName: 'p', prefixes: [] } }),
    ],
    [
      'opening where what is written names no key',
      /decrypt is for a gateway that writes esdk, and this one writes s3ec-v2/,
      () => ({ decrypt: { privateKeySetSecretName: 'p', prefixes: ['lab/'] } }),
      () => ({ format: 's3ec-v2' }),
    ],
    ['uploads that outlast their role', /one hour/, () => ({ uploadExpiry: Duration.hours(2) })],
    [
      'uploads that would leave their prefix',
      /vaultKeyTemplate/,
      () => ({ callers: IAM_CALLERS }),
      () => ({ inboxes: [{ vaultKeyTemplate: 'other/{rest}' }] }),
    ],
    [
      'the same by the inbox’s own prefix',
      /vaultKeyTemplate.*\{rest\}/,
      undefined,
      () => ({ inboxes: [{ prefix: 'in/' }] }),
    ],
    [
      'the same by escapes',
      /"50%\/".*encode/,
      () => ({ callers: { kind: 'iam', prefixes: { [`${ACCOUNT}:role/a`]: '50%/' } } }),
      () => ({ inboxes: [{ encode: true }] }),
    ],
    [
      'deleting by a role where there are credentials',
      /vaultDeleteSecretName/,
      () => ({ allowDelete: true }),
    ],
  ];
  for (const [what, message, props, gatewayProps] of refused)
    test(what, () => {
      expect(() => synthesizeApi(props, gatewayProps)).toThrow(message);
    });
});
