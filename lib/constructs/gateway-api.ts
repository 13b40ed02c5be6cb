import { Duration, Lazy, Stack } from 'aws-cdk-lib';
import type { IHttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import {
  type ApiFunction,
  type ApiSettings,
  type DecryptObjectSettings,
  type DeleteObjectSettings,
  type InboxSettings,
  type PrincipalSettings,
  type PutObjectSettings,
  UPLOADS_FOLDER,
} from '../../src/contract.js';
import { acknowledgePatterns, type Grant } from './acknowledge.js';
import { assertSecretName, readSecrets, useKeys } from './access.js';
import { assertSafeApi, type GatewayApiProps } from './api-props.js';
import { allowVaultWriting } from './encrypting-access.js';
import { SealdropFunction } from './function.js';
import { HttpRoutes } from './http-routes.js';
import { vaultAccess, vaultSecrets, vaultSettings, type Vault, type VaultUse } from './vault.js';

/** Below the 30 seconds after which API Gateway gives up. */
const TIMEOUT = Duration.seconds(29);

const MEMORY_MIB = 1024;

const UPLOADS_PATTERN = 'The uploads’ folder below each caller’s prefix.';

/**
 * The HTTP API. Each function has a role of its own: what encrypts cannot read, what reads cannot write, and none but
 * the decrypting one, where there is one, has a way to a private key.
 */
export class GatewayApi extends Construct {
  readonly url: string;
  readonly httpApi: IHttpApi;
  /** Can put into the inbox below the uploads' folder, and nothing else; presigned uploads are signed with it. */
  readonly uploadRole: iam.Role;
  private readonly made = new Map<ApiFunction, SealdropFunction>();
  private readonly principals: PrincipalSettings;

  constructor(
    scope: Construct,
    id: string,
    private readonly props: GatewayApiProps,
  ) {
    super(scope, id);
    assertSafeApi(props);
    const { callers, throttle } = props;
    this.principals = callers.kind === 'iam' ? callers : { kind: 'jwt', claim: callers.claim };
    this.uploadRole = this.makeUploadRole();
    this.makeApi();
    this.makePutObject();
    if (this.deletes) this.makeDeleteObject();
    if (props.decrypt !== undefined) this.makeDecryptObject(props.decrypt);
    const routes = new HttpRoutes(this, 'Http', {
      callers,
      throttle: throttle ?? { rate: 50, burst: 100 },
      logRetention: this.logRetention,
      functions: new Map([...this.made].map(([name, made]) => [name, made.function])),
    });
    this.url = routes.url;
    this.httpApi = routes.api;
  }

  /** All of its functions, for alarms. */
  get functions(): lambda.IFunction[] {
    return [...this.made.values()].map((made) => made.function);
  }

  private get deletes(): boolean {
    return this.props.vaultDeleteSecretName !== undefined || this.props.allowDelete === true;
  }

  private get logRetention(): logs.RetentionDays {
    return this.props.logRetention ?? logs.RetentionDays.THREE_MONTHS;
  }

  /** The gateway's vault, as another of its secrets reaches it. */
  private vaultBy(secretName: string | undefined): Vault {
    const { vault } = this.props.gateway.encrypting;
    if (!('secret' in vault)) return vault;
    assertSecretName(secretName!);
    return { secret: secretName! };
  }

  private makeUploadRole(): iam.Role {
    const { bucket, settings, encryptionKey } = this.props.gateway.inboxes[0]!;
    const role = new iam.Role(this, 'UploadRole', {
      assumedBy: new iam.ArnPrincipal(Lazy.string({ produce: () => this.made.get('api')!.role.roleArn })),
      description: 'sealdrop: puts uploads into the inbox',
    });
    const grants: Grant[] = [
      {
        actions: ['s3:PutObject'],
        resources: uploads(settings, settings.suffix).map((keys) => bucket.arnForObjects(keys)),
        pattern: UPLOADS_PATTERN,
      },
      ...useKeys(this, 's3', encryptionKey === undefined ? [] : [encryptionKey], ['kms:GenerateDataKey']),
    ];
    for (const { pattern: _, ...statement } of grants) role.addToPolicy(new iam.PolicyStatement(statement));
    acknowledgePatterns(role, grants);
    return role;
  }

  private makeApi(): void {
    const { gateway, uploadExpiry, decrypt } = this.props;
    const { settings: inbox, bucket } = gateway.inboxes[0]!;
    const { deployment, publicKeySet, keyNames, secretsTtlSeconds } = gateway.encrypting.settings;
    const vault = this.vaultBy(this.props.vaultReadSecretName);
    const settings: ApiSettings = {
      deployment,
      principals: this.principals,
      publicKeySet,
      keyNames,
      vault: vaultSettings(this, vault),
      secretsTtlSeconds,
      inbox,
      account: Stack.of(this).account,
      uploadRole: this.uploadRole.roleArn,
      uploadExpirySeconds: uploadExpiry?.toSeconds() ?? 900,
      routes: { delete: this.deletes, decrypt: decrypt !== undefined },
    };
    const made = this.make('api', 'answers the API', settings, {
      vault,
      use: 'read',
      secrets: [publicKeySet],
    });
    made.grant(
      { actions: ['sts:AssumeRole'], resources: [this.uploadRole.roleArn] },
      // Whether an upload waits still, and its status: not its content.
      { actions: ['s3:ListBucket'], resources: [bucket.bucketArn] },
      {
        actions: ['s3:GetObjectTagging', 's3:GetObjectVersionTagging'],
        resources: uploads(inbox, '').map((keys) => bucket.arnForObjects(keys)),
        pattern: UPLOADS_PATTERN,
      },
    );
  }

  private makePutObject(): void {
    const { encrypting } = this.props.gateway;
    const settings: PutObjectSettings = { ...encrypting.settings, principals: this.principals };
    const made = this.make('put-object', 'encrypts what the API is sent into the vault', settings);
    allowVaultWriting(made, encrypting);
  }

  private makeDeleteObject(): void {
    const { deployment, secretsTtlSeconds } = this.props.gateway.encrypting.settings;
    const vault = this.vaultBy(this.props.vaultDeleteSecretName);
    const settings: DeleteObjectSettings = {
      deployment,
      principals: this.principals,
      vault: vaultSettings(this, vault),
      secretsTtlSeconds,
    };
    this.make('delete-object', 'deletes from the vault', settings, { vault, use: 'delete', secrets: [] });
  }

  private makeDecryptObject({
    privateKeySetSecretName,
    prefixes,
  }: NonNullable<GatewayApiProps['decrypt']>): void {
    const { deployment, secretsTtlSeconds } = this.props.gateway.encrypting.settings;
    assertSecretName(privateKeySetSecretName);
    const vault = this.vaultBy(this.props.vaultReadSecretName);
    const settings: DecryptObjectSettings = {
      deployment,
      principals: this.principals,
      privateKeySet: privateKeySetSecretName,
      vault: vaultSettings(this, vault),
      secretsTtlSeconds,
      prefixes,
    };
    const secrets = [privateKeySetSecretName];
    this.make('decrypt-object', 'opens objects of the vault', settings, { vault, use: 'read', secrets });
  }

  private make(
    name: ApiFunction,
    description: string,
    settings: object,
    access?: { vault: Vault; use: VaultUse; secrets: readonly string[] },
  ): SealdropFunction {
    // Who opened what is worth knowing for longer than the rest.
    const audited = name === 'decrypt-object';
    const made = new SealdropFunction(this, pascalCase(name), {
      bundle: name,
      description,
      settings,
      timeout: TIMEOUT,
      memory: MEMORY_MIB,
      logRetention: audited ? logs.RetentionDays.ONE_YEAR : this.logRetention,
      keepLog: audited,
      network: this.props.network,
    });
    if (access !== undefined) {
      const { vault, use, secrets } = access;
      made.grant(
        ...readSecrets(this, [...secrets, ...vaultSecrets(vault)], this.props.gateway.encrypting.secretKeys),
        ...vaultAccess(this, vault, use),
      );
    }
    this.made.set(name, made);
    return made;
  }
}

/** Patterns of keys below an `uploads/` below a prefix, which may be the inbox's own. */
function uploads({ prefix }: InboxSettings, suffix: string): string[] {
  const own = prefix.endsWith('/') ? [`${prefix}${UPLOADS_FOLDER}*${suffix}`] : [];
  return [...own, `${prefix}*/${UPLOADS_FOLDER}*${suffix}`];
}

const pascalCase = (name: string) =>
  name.replaceAll(/(^|-)(.)/g, (_, _dash, letter: string) => letter.toUpperCase());
