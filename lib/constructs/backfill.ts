import { Duration, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import type * as logs from 'aws-cdk-lib/aws-logs';
import * as s3 from 'aws-cdk-lib/aws-s3';
import type * as sfn from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { otherAccounts } from './access.js';
import { acknowledgePatterns } from './acknowledge.js';
import { backfillDefinition } from './backfill-definition.js';
import { mapStateMachine, reportsAccess } from './map-state-machine.js';

/** Buckets whose objects may be encrypted. Only keys that begin with the prefix can be listed. */
export interface BackfillInbox {
  readonly bucket: s3.IBucket;
  readonly prefix?: string;
}

export interface BackfillProps {
  /** Called with `{Items:[{bucket,key,dryRun}]}`; answers a report for each. */
  readonly encryptFunction: lambda.IFunction;
  readonly inboxes: readonly BackfillInbox[];
  /** Calls of the function at the same time: protects the vault. Default: 10. */
  readonly maxConcurrency?: number;
  /** Objects that one call is given. Default: 10. */
  readonly itemsPerBatch?: number;
  /** Where inventories (S3 Inventory, CSV, current versions) may be read. Default: nowhere. */
  readonly inventory?: { readonly bucket: s3.IBucket; readonly prefix?: string };
  /** Default: 3 months, for the log and the reports. */
  readonly logRetention?: logs.RetentionDays;
}

const REPORTS_PREFIX = 'backfill';

/** Encrypts what lay in an inbox before its events were listened to. It costs nothing while it does not run. */
export class Backfill extends Construct {
  readonly stateMachine: sfn.StateMachine;
  /** Holds a line of JSON for each object of each run: names and outcomes, no contents. */
  readonly reports: s3.Bucket;
  /** `s3://bucket/prefix/` of the reports. */
  readonly reportsAddress: string;

  constructor(scope: Construct, id: string, props: BackfillProps) {
    super(scope, id);
    this.reports = this.makeReports();
    this.reportsAddress = `s3://${this.reports.bucketName}/${REPORTS_PREFIX}/`;
    const definition = backfillDefinition({
      partition: Stack.of(this).partition,
      functionArn: props.encryptFunction.functionArn,
      reports: { bucket: this.reports.bucketName, prefix: REPORTS_PREFIX },
      itemsPerBatch: props.itemsPerBatch ?? 10,
      maxConcurrency: props.maxConcurrency ?? 10,
      inventory: props.inventory !== undefined,
    });
    this.stateMachine = mapStateMachine(this, {
      definition,
      comment: 'sealdrop: encrypts what lies in an inbox already',
      may: 'lists an inbox and calls the encrypting function',
      statements: this.statements(props),
      logRetention: props.logRetention,
    });
  }

  private makeReports(): s3.Bucket {
    const reports = new s3.Bucket(this, 'Reports', {
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
      encryption: s3.BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
      lifecycleRules: [
        { expiration: Duration.days(90), abortIncompleteMultipartUploadAfter: Duration.days(7) },
      ],
    });
    reports.addToResourcePolicy(
      new iam.PolicyStatement({
        sid: 'RefuseOtherAccounts',
        effect: iam.Effect.DENY,
        principals: [new iam.AnyPrincipal()],
        actions: ['s3:*'],
        resources: [reports.bucketArn, reports.arnForObjects('*')],
        conditions: otherAccounts(this),
      }),
    );
    Validations.of(reports).acknowledge({
      id: 'AwsSolutions-S1',
      reason: 'Reports hold names and outcomes of objects, and expire after 90 days.',
    });
    return reports;
  }

  private statements({ encryptFunction, inboxes, inventory }: BackfillProps): iam.PolicyStatementProps[] {
    const reports = this.reports.arnForObjects(`${REPORTS_PREFIX}/*`);
    const manifests = inventory?.bucket.arnForObjects(`${inventory.prefix ?? ''}*`);
    acknowledgePatterns(this, [
      { resources: [reports], pattern: 'Reports are named when they are written.' },
    ]);
    if (manifests !== undefined)
      acknowledgePatterns(this, [
        { resources: [manifests], pattern: 'Inventories are named by S3 when it writes them.' },
      ]);
    return [
      { actions: ['lambda:InvokeFunction'], resources: [encryptFunction.functionArn] },
      ...inboxes.map(({ bucket, prefix = '' }) => ({
        actions: ['s3:ListBucket'],
        resources: [bucket.bucketArn],
        ...(prefix !== '' && { conditions: { StringLike: { 's3:prefix': `${prefix}*` } } }),
      })),
      ...(manifests === undefined ? [] : [{ actions: ['s3:GetObject'], resources: [manifests] }]),
      reportsAccess(reports),
    ];
  }
}
