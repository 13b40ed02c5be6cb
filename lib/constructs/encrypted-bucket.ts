import { Duration, Names, RemovalPolicy, Validations } from 'aws-cdk-lib';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as s3 from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';

export interface EncryptedBucketProps {
  /** Alias of its key, without `alias/`. Default: the path of the construct. */
  readonly alias?: string;
  /** Whether what is overwritten or deleted stays as an older version. Default: yes. */
  readonly versioned?: boolean;
  /** When the parts of an upload that never finished are removed. Default: 7 days. */
  readonly abortIncompleteUploadsAfter?: Duration;
  /** Where S3 writes its access logs. Default: nowhere. */
  readonly accessLogsBucket?: s3.IBucket;
  /** Of the bucket and its key. Default: they outlive their stack; only a first deploy that fails leaves nothing behind. */
  readonly removalPolicy?: RemovalPolicy;
}

/**
 * A bucket for ciphertext, which S3 encrypts once more by a key of its own (SSE-KMS): rotated each year, asked for with a bucket
 * key. Closed to the public and to plain http. It is a `vaultBucket` for a gateway, too.
 */
export class EncryptedBucket extends Construct {
  readonly bucket: s3.Bucket;
  /** S3's, for what lies in the bucket: nothing that clients encrypt with. */
  readonly encryptionKey: kms.Key;
  /** Of the key, with `alias/`. */
  readonly aliasName: string;

  constructor(scope: Construct, id: string, props: EncryptedBucketProps = {}) {
    super(scope, id);
    const { removalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE } = props;
    const alias = props.alias ?? Names.uniqueResourceName(this, { maxLength: 200, separator: '-' });
    this.aliasName = `alias/${alias}`;
    this.encryptionKey = new kms.Key(this, 'Key', {
      description: 'sealdrop: S3 encrypts the vault with it (SSE-KMS)',
      alias,
      enableKeyRotation: true,
      removalPolicy,
    });
    this.bucket = new s3.Bucket(this, 'Bucket', {
      encryption: s3.BucketEncryption.KMS,
      encryptionKey: this.encryptionKey,
      bucketKeyEnabled: true,
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      versioned: props.versioned ?? true,
      serverAccessLogsBucket: props.accessLogsBucket,
      removalPolicy,
      lifecycleRules: [
        {
          id: 'abort-incomplete-uploads',
          abortIncompleteMultipartUploadAfter: props.abortIncompleteUploadsAfter ?? Duration.days(7),
        },
      ],
    });
    if (props.accessLogsBucket === undefined)
      Validations.of(this.bucket).acknowledge({
        id: 'AwsSolutions-S1',
        reason: 'Access logs need a bucket that the operator keeps: the prop accessLogsBucket names it.',
      });
  }
}
