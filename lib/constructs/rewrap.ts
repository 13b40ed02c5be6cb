import { Duration, Stack } from 'aws-cdk-lib';
import type * as iam from 'aws-cdk-lib/aws-iam';
import * as logs from 'aws-cdk-lib/aws-logs';
import type * as s3 from 'aws-cdk-lib/aws-s3';
import type * as sfn from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import type { RewrapObjectSettings } from '../../src/contract.js';
import { acknowledgePatterns } from './acknowledge.js';
import { assertDifferentSecrets, assertSecretName, readSecrets } from './access.js';
import { allowWrapping } from './encrypting-access.js';
import type { EncryptionGateway } from './encryption-gateway.js';
import { SealdropFunction, type NetworkProps } from './function.js';
import { assertWritesEsdk, bytesWithin } from './gateway-settings.js';
import { mapStateMachine, reportsAccess } from './map-state-machine.js';
import { rewrapDefinition } from './rewrap-definition.js';
import { vaultAccess, vaultSecrets, vaultSettings, type Vault } from './vault.js';

export interface RewrapProps {
  /** Whose vault it is, and whose public key set says whom the objects are for afterwards. */
  readonly gateway: EncryptionGateway;
  /** Name of the secret with the private key set: with it, whoever breaks into this account can read the vault. */
  readonly privateKeySetSecretName: string;
  /** Name of the secret with the vault's address and credentials for reading and writing. Not where the vault is a bucket. */
  readonly vaultRewriteSecretName?: string;
  /** Where lists and reports go: a backfill's bucket. */
  readonly reports: s3.IBucket;
  /** Bytes of an object above which it is refused at once. Default: what fits 15 minutes at 6 MiB/s. */
  readonly maxObjectBytes?: number;
  /** Calls of the function at the same time: protects the vault. Default: 10. */
  readonly maxConcurrency?: number;
  /** Objects that one call is given. Default: 10. */
  readonly itemsPerBatch?: number;
  /** MiB. Default: 1,769, one whole vCPU. */
  readonly memory?: number;
  /** Of the state machine's log. Default: 3 months. The function's log is kept for a year, and outlives the stack. */
  readonly logRetention?: logs.RetentionDays;
  /** Default: Lambda's own network. */
  readonly network?: NetworkProps;
}

const REPORTS_PREFIX = 'rewrap';
const LISTS_PREFIX = `${REPORTS_PREFIX}/lists/`;

/** The most that Lambda has. */
const TIMEOUT = Duration.minutes(15);

/**
 * Encrypts what lies in the vault to the gateway's present keys, for a deployment that holds the private ones. Nothing
 * runs, and nothing costs, until somebody starts it.
 */
export class Rewrap extends Construct {
  readonly stateMachine: sfn.StateMachine;
  readonly rewrapObject: SealdropFunction;

  constructor(scope: Construct, id: string, props: RewrapProps) {
    super(scope, id);
    const vault = settleRewritten(props);
    this.rewrapObject = this.makeFunction(props, vault);
    const { functionArn } = this.rewrapObject.function;
    const { reports, maxConcurrency = 10, itemsPerBatch = 10 } = props;
    this.stateMachine = mapStateMachine(this, {
      definition: rewrapDefinition({
        ...{ partition: Stack.of(this).partition, functionArn, maxConcurrency, itemsPerBatch },
        reports: { bucket: reports.bucketName, prefix: REPORTS_PREFIX },
      }),
      comment: 'sealdrop: encrypts what lies in the vault to other keys',
      may: 'calls the function that rewraps, and writes its reports',
      statements: this.statements(functionArn, reports),
      logRetention: props.logRetention,
    });
  }

  private makeFunction(props: RewrapProps, vault: Vault): SealdropFunction {
    const { gateway, privateKeySetSecretName, reports } = props;
    const { settings, secretKeys, wrappingKeys } = gateway.encrypting;
    const { deployment, publicKeySet, keyNames, secretsTtlSeconds } = settings;
    const made = new SealdropFunction(this, 'RewrapObject', {
      bundle: 'rewrap-object',
      description: 'opens objects of the vault and encrypts them to other keys',
      settings: {
        ...{ deployment, publicKeySet, keyNames, secretsTtlSeconds },
        privateKeySet: privateKeySetSecretName,
        vault: vaultSettings(this, vault),
        // Twice the work of encrypting alone.
        maxObjectBytes: props.maxObjectBytes ?? bytesWithin(TIMEOUT) / 2,
        lists: { bucket: reports.bucketName, prefix: LISTS_PREFIX, region: Stack.of(this).region },
      } satisfies RewrapObjectSettings,
      timeout: TIMEOUT,
      memory: props.memory ?? 1769,
      // What was opened is worth knowing for longer than the rest.
      logRetention: logs.RetentionDays.ONE_YEAR,
      keepLog: true,
      network: props.network,
    });
    allowWrapping(made, wrappingKeys);
    made.grant(
      ...readSecrets(this, [publicKeySet, privateKeySetSecretName, ...vaultSecrets(vault)], secretKeys),
      ...vaultAccess(this, vault, 'rewrite'),
      {
        actions: ['s3:PutObject', 's3:AbortMultipartUpload'],
        resources: [reports.arnForObjects(`${LISTS_PREFIX}*`)],
        pattern: 'Lists are named by their runs.',
      },
    );
    return made;
  }

  private statements(functionArn: string, reports: s3.IBucket): iam.PolicyStatementProps[] {
    const objects = reports.arnForObjects(`${REPORTS_PREFIX}/*`);
    acknowledgePatterns(this, [
      { resources: [objects], pattern: 'Lists and reports are named when they are written.' },
    ]);
    return [{ actions: ['lambda:InvokeFunction'], resources: [functionArn] }, reportsAccess(objects)];
  }
}

/** @throws where the function would lack what it needs, or what is read for one thing would serve another */
function settleRewritten(props: RewrapProps): Vault {
  const { gateway, privateKeySetSecretName, vaultRewriteSecretName } = props;
  const { settings, vault } = gateway.encrypting;
  assertSecretName(privateKeySetSecretName);
  assertWritesEsdk(settings, 'a rewrap');
  assertDifferentSecrets({
    publicKeySetSecretName: settings.publicKeySet,
    vaultWriteSecretName: 'secret' in vault ? vault.secret : undefined,
    idempotencySecretName: settings.idempotency,
    vaultRewriteSecretName,
    privateKeySetSecretName,
  });
  if (!('secret' in vault)) {
    if (vaultRewriteSecretName === undefined) return vault;
    throw new Error('the vault is a bucket: it is rewritten by a role, not by a secret');
  }
  if (vaultRewriteSecretName === undefined) throw new Error('a rewrap needs vaultRewriteSecretName');
  assertSecretName(vaultRewriteSecretName);
  return { secret: vaultRewriteSecretName };
}
