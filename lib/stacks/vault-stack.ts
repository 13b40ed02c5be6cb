import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { CseKey, type CseKeyProps } from '../constructs/cse-key.js';
import { EncryptedBucket, type EncryptedBucketProps } from '../constructs/encrypted-bucket.js';

export interface VaultStackProps extends StackProps {
  readonly bucket?: EncryptedBucketProps;
  readonly cseKey?: CseKeyProps;
}

/** A vault on AWS: an encrypted bucket, and a key for clients to encrypt with before anything gets there. */
export class VaultStack extends Stack {
  readonly vault: EncryptedBucket;
  readonly cseKey: CseKey;

  constructor(scope: Construct, id: string, { bucket, cseKey, ...props }: VaultStackProps = {}) {
    super(scope, id, { description: 'sealdrop: a bucket and a key for what clients encrypt', ...props });
    this.vault = new EncryptedBucket(this, 'Bucket', { alias: `${this.stackName}-sse`, ...bucket });
    this.cseKey = new CseKey(this, 'CseKey', { alias: `${this.stackName}-cse`, ...cseKey });
    const outputs = {
      BucketName: this.vault.bucket.bucketName,
      SseKeyArn: this.vault.encryptionKey.keyArn,
      CseKeyArn: this.cseKey.keyArn,
      CseKeyAlias: this.cseKey.aliasName,
    };
    for (const [name, value] of Object.entries(outputs)) new CfnOutput(this, name, { value });
  }
}
