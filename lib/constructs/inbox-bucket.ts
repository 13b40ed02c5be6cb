import { Duration, RemovalPolicy, Validations } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as kms from 'aws-cdk-lib/aws-kms';
import * as s3 from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { otherAccounts } from './access.js';

export interface InboxBucketProps {
  /** Customer key for what lies in the inbox. Default: S3's own (SSE-S3). */
  readonly encryptionKey?: kms.IKey;
  /**
   * After how many days versions that are no longer current are removed, stored or not: at least 30, so that none
   * goes while its event may still wait in a queue. Default: never.
   */
  readonly noncurrentVersionExpiration?: Duration;
  /** When the parts of an upload that never finished are removed. Default: 7 days. */
  readonly abortIncompleteUploadsAfter?: Duration;
  /** Where S3 writes the inbox's access logs. Default: nowhere. */
  readonly accessLogsBucket?: s3.IBucket;
}

/** A queued event lives 14 days at most, on each of two queues. */
const LEAST_EXPIRATION = Duration.days(30);

/**
 * A bucket for plaintext: versioned, encrypted, closed to the public, to plain http and to other accounts. It outlives
 * its stack, with what is in it.
 */
export class InboxBucket extends Construct {
  readonly bucket: s3.Bucket;

  constructor(scope: Construct, id: string, props: InboxBucketProps = {}) {
    super(scope, id);
    const { noncurrentVersionExpiration: expiration } = props;
    if (expiration !== undefined && expiration.toSeconds() < LEAST_EXPIRATION.toSeconds())
      throw new Error(
        'noncurrentVersionExpiration is at least 30 days: an older version may still wait for its turn',
      );
    this.bucket = new s3.Bucket(this, 'Bucket', {
      versioned: true,
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      encryption:
        props.encryptionKey === undefined ? s3.BucketEncryption.S3_MANAGED : s3.BucketEncryption.KMS,
      encryptionKey: props.encryptionKey,
      bucketKeyEnabled: props.encryptionKey !== undefined,
      serverAccessLogsBucket: props.accessLogsBucket,
      // A first deploy that fails leaves nothing behind; whatever was deployed stays.
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
      lifecycleRules: [
        {
          id: 'abort-incomplete-uploads',
          abortIncompleteMultipartUploadAfter: props.abortIncompleteUploadsAfter ?? Duration.days(7),
        },
        ...(expiration === undefined
          ? []
          : [
              {
                id: 'expire-noncurrent',
                noncurrentVersionExpiration: expiration,
                expiredObjectDeleteMarker: true,
              },
            ]),
      ],
    });
    this.bucket.addToResourcePolicy(
      new iam.PolicyStatement({
        sid: 'RefuseOtherAccounts',
        effect: iam.Effect.DENY,
        principals: [new iam.AnyPrincipal()],
        actions: ['s3:*'],
        resources: [this.bucket.bucketArn, this.bucket.arnForObjects('*')],
        conditions: otherAccounts(this),
      }),
    );
    if (props.accessLogsBucket === undefined)
      Validations.of(this.bucket).acknowledge({
        id: 'AwsSolutions-S1',
        reason: 'Access logs need a bucket that the operator keeps: the prop accessLogsBucket names it.',
      });
  }
}
