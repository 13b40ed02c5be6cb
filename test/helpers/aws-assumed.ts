/** Roles that a person takes, and the environment of whoever has taken one. */
import { AttachRolePolicyCommand, CreateRoleCommand } from '@aws-sdk/client-iam';
import { KMSClient } from '@aws-sdk/client-kms';
import { AssumeRoleCommand } from '@aws-sdk/client-sts';
import type { Aws } from './aws-server.js';
import { secret } from './cli.js';

export const ADMINISTRATOR = 'arn:aws:iam::aws:policy/AdministratorAccess';

export interface AssumedRole {
  readonly arn: string;
  /** What the command needs to act as it. */
  readonly env: Record<string, string>;
  readonly kms: KMSClient;
}

/** A role of the account with a policy of AWS's, taken. */
export async function assumedRole(aws: Aws, RoleName: string, PolicyArn: string): Promise<AssumedRole> {
  const Principal = { AWS: 'arn:aws:iam::000000000000:root' };
  const Statement = [{ Effect: 'Allow', Principal, Action: 'sts:AssumeRole' }];
  const AssumeRolePolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement });
  const { Role } = await aws.iam.send(new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument }));
  await aws.iam.send(new AttachRolePolicyCommand({ RoleName, PolicyArn }));
  const { Credentials } = await aws.sts.send(
    new AssumeRoleCommand({ RoleArn: Role!.Arn, RoleSessionName: 'test' }),
  );
  const credentials = {
    accessKeyId: Credentials!.AccessKeyId!,
    secretAccessKey: secret('a secret key of AWS', Credentials!.SecretAccessKey!),
    sessionToken: secret('a session token of AWS', Credentials!.SessionToken!),
  };
  return {
    arn: Role!.Arn!,
    env: {
      ...aws.environment,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_SESSION_TOKEN: credentials.sessionToken,
    },
    kms: new KMSClient(aws.clientSettings(credentials)),
  };
}
