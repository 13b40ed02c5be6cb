/** From one deployment of sealdrop.config.json to the props of the constructs. */
import { Annotations, Duration, type Environment } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as s3 from 'aws-cdk-lib/aws-s3';
import * as sns from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import type {
  EncryptionGatewayProps,
  InboxBucketProps,
  InboxProps,
  NetworkProps,
  StackParts,
  VaultBucketProps,
} from '../lib/index.js';
import type { DeploymentConfig, GatewayConfig } from '../src/config/deployment.js';

type Config<Field extends keyof GatewayConfig> = NonNullable<GatewayConfig[Field]>;

export function environmentOf({ account, region }: DeploymentConfig): Environment {
  return {
    account: account ?? process.env.CDK_DEFAULT_ACCOUNT,
    region: region ?? process.env.CDK_DEFAULT_REGION,
  };
}

/** @param scope the stack, in which what is there already is imported */
export function partsOf(scope: Construct, deployment: string, config: GatewayConfig): StackParts {
  const { api, inventory, rewrap, alarmTopicArn } = config;
  return {
    gateway: { deployment, ...gatewayProps(scope, config) },
    api: api && apiProps(scope, config, api),
    inventory: inventory && { bucket: importOnce(scope, inventory.bucket), prefix: inventory.prefix },
    rewrap: rewrap && rewrapProps(scope, config, rewrap),
    alarmTopic:
      alarmTopicArn === undefined ? undefined : sns.Topic.fromTopicArn(scope, 'AlarmTopic', alarmTopicArn),
  };
}

function apiProps(scope: Construct, config: GatewayConfig, api: Config<'api'>): StackParts['api'] {
  const { decrypt } = api;
  return {
    callers: api.callers,
    vaultReadSecretName: api.vaultReadSecret,
    vaultDeleteSecretName: api.vaultDeleteSecret,
    allowDelete: api.allowDelete,
    decrypt: decrypt && { privateKeySetSecretName: decrypt.privateKeySetSecret, prefixes: decrypt.prefixes },
    uploadExpiry: seconds(api.uploadExpirySeconds),
    throttle: api.throttle,
    logRetention: config.logRetentionDays,
    network: config.network && networkProps(scope, config.network),
  };
}

function rewrapProps(
  scope: Construct,
  config: GatewayConfig,
  rewrap: Config<'rewrap'>,
): StackParts['rewrap'] {
  return {
    privateKeySetSecretName: rewrap.privateKeySetSecret,
    vaultRewriteSecretName: rewrap.vaultRewriteSecret,
    maxObjectBytes: rewrap.maxObjectBytes,
    maxConcurrency: config.maxConcurrency,
    memory: config.memoryMiB,
    logRetention: config.logRetentionDays,
    network: config.network && networkProps(scope, config.network),
  };
}

function gatewayProps(scope: Construct, config: GatewayConfig): EncryptionGatewayProps {
  return {
    publicKeySetSecretName: config.publicKeySetSecret,
    vaultWriteSecretName: config.vaultWriteSecret,
    vaultBucket: config.vaultBucket && vaultBucket(scope, config.vaultBucket),
    idempotencySecretName: config.idempotencySecret,
    secretKeys: config.secretKmsKeyArns?.map((arn, i) => keyOf(scope, `SecretKey${i}`, arn)),
    wrappingKeys: config.wrappingKmsKeyArns?.map((arn, i) => keyOf(scope, `WrappingKey${i}`, arn)),
    inboxes: config.inboxes?.map((inbox, i) => inboxProps(scope, `Inbox${i}`, inbox)),
    inboxBucket: config.inboxBucket && inboxBucket(scope, config.inboxBucket),
    format: config.format,
    afterStore: config.afterStore,
    keyNames: config.keyNames,
    memory: config.memoryMiB,
    timeout: seconds(config.timeoutSeconds),
    maxObjectBytes: config.maxObjectBytes,
    maxConcurrency: config.maxConcurrency,
    retryAfter: seconds(config.retryAfterSeconds),
    secretsTtl: seconds(config.secretsTtlSeconds),
    // The enumeration's values are days.
    logRetention: config.logRetentionDays,
    network: config.network && networkProps(scope, config.network),
  };
}

function vaultBucket(scope: Construct, { name, prefix, kmsKeyArn }: Config<'vaultBucket'>): VaultBucketProps {
  return {
    bucket: s3.Bucket.fromBucketName(scope, 'VaultBucket', name),
    prefix,
    encryptionKey: keyOf(scope, 'VaultKey', kmsKeyArn),
  };
}

function inboxProps(scope: Construct, id: string, config: Config<'inboxes'>[number]): InboxProps {
  const { bucket, kmsKeyArn, ...rest } = config;
  return {
    ...rest,
    bucket: bucket === undefined ? undefined : importOnce(scope, bucket),
    encryptionKey: keyOf(scope, `${id}Key`, kmsKeyArn),
  };
}

/** Two inboxes in one bucket share what tells S3 of its notifications. */
const importOnce = (scope: Construct, bucket: string) =>
  once(scope, `Bucket-${bucket}`, (id) => s3.Bucket.fromBucketName(scope, id, bucket));

function once<Imported>(scope: Construct, id: string, make: (id: string) => Imported): Imported {
  return (scope.node.tryFindChild(id) as Imported | undefined) ?? make(id);
}

function inboxBucket(scope: Construct, config: Config<'inboxBucket'>): InboxBucketProps {
  const { accessLogsBucket, noncurrentVersionDays, abortIncompleteUploadsDays } = config;
  return {
    encryptionKey: keyOf(scope, 'InboxKey', config.kmsKeyArn),
    noncurrentVersionExpiration: days(noncurrentVersionDays),
    abortIncompleteUploadsAfter: days(abortIncompleteUploadsDays),
    accessLogsBucket:
      accessLogsBucket === undefined
        ? undefined
        : s3.Bucket.fromBucketName(scope, 'AccessLogs', accessLogsBucket),
  };
}

/** By ids alone: nothing is looked up, so a synth needs no network. */
function networkProps(scope: Construct, { vpcId, subnets, securityGroups }: Config<'network'>): NetworkProps {
  const availabilityZones = subnets.map((subnet) => subnet.availabilityZone);
  const privateSubnetIds = subnets.map((subnet) => subnet.id);
  const vpc = once(scope, vpcId, (id) =>
    ec2.Vpc.fromVpcAttributes(scope, id, { vpcId, availabilityZones, privateSubnetIds }),
  );
  // Nothing is routed here.
  Annotations.of(vpc).acknowledgeWarning('@aws-cdk/aws-ec2:noSubnetRouteTableId');
  return {
    vpc,
    securityGroups: securityGroups?.map((groupId) =>
      once(scope, groupId, (id) =>
        ec2.SecurityGroup.fromSecurityGroupId(scope, id, groupId, { mutable: false }),
      ),
    ),
  };
}

function keyOf(scope: Construct, id: string, arn: string): kms.IKey;
function keyOf(scope: Construct, id: string, arn: string | undefined): kms.IKey | undefined;
function keyOf(scope: Construct, id: string, arn: string | undefined): kms.IKey | undefined {
  return arn === undefined ? undefined : kms.Key.fromKeyArn(scope, id, arn);
}

const seconds = (count: number | undefined) => (count === undefined ? undefined : Duration.seconds(count));

const days = (count: number | undefined) => (count === undefined ? undefined : Duration.days(count));
