import { Aws, Fn, RemovalPolicy, Validations } from 'aws-cdk-lib';
import type * as kms from 'aws-cdk-lib/aws-kms';
import * as secrets from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';

export interface IdempotencySecretProps {
  readonly deployment: string;
  /** Customer key. Default: the account's `aws/secretsmanager`. */
  readonly encryptionKey?: kms.IKey;
}

/**
 * The key that proves which source version a vault object was made of. Secrets Manager makes its value: it is neither
 * in the template nor in CloudFormation. It outlives the stack: without it nothing in the vault would be recognized.
 */
export class IdempotencySecret extends Construct {
  readonly secretName: string;

  constructor(scope: Construct, id: string, props: IdempotencySecretProps) {
    super(scope, id);
    // Of the stack's own identifier: the next stack of this name finds no secret in its way.
    const stackUuid = Fn.select(2, Fn.split('/', Aws.STACK_ID));
    this.secretName = `sealdrop/${props.deployment}/idempotency-${Fn.select(0, Fn.split('-', stackUuid))}`;
    const secret = new secrets.Secret(this, 'Secret', {
      secretName: this.secretName,
      description: 'sealdrop: proves which source version a vault object was made of',
      encryptionKey: props.encryptionKey,
      // 64 of 62 characters: 381 bits.
      generateSecretString: { excludePunctuation: true, passwordLength: 64 },
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    });
    Validations.of(secret).acknowledge({
      id: 'AwsSolutions-SMG4',
      reason:
        'A new value would make every stored object unrecognizable: it is not a credential, and never rotated.',
    });
  }
}
