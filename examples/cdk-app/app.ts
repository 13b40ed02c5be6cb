// A gateway in a CDK app of your own: files that land in its bucket end up encrypted in the vault.
import { App, CfnOutput, Stack } from 'aws-cdk-lib';
import { EncryptionGateway } from 'sealdrop/cdk';

const stack = new Stack(new App(), 'Gateway');

const gateway = new EncryptionGateway(stack, 'Encryption', {
  publicKeySetSecretName: 'sealdrop/public-keys',
  vaultWriteSecretName: 'sealdrop/vault-write',
});

new CfnOutput(stack, 'Inbox', { value: gateway.inboxBucket!.bucketName });
