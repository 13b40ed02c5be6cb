/**
 * What the SDK finds credentials with, in bundles for Lambda: the build puts it in the place of the SDK's own chain,
 * which looks in files, logins and metadata services too, makes bundles a quarter larger, and can read private keys.
 * Lambda gives a function its role's credentials in the environment, and ends the process before they expire.
 * https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
 */
import type { AwsCredentialIdentity } from '@smithy/types';

export function defaultProvider(): () => Promise<AwsCredentialIdentity> {
  return async () => {
    const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = process.env;
    if (AWS_ACCESS_KEY_ID === undefined || AWS_SECRET_ACCESS_KEY === undefined)
      throw new Error('the environment holds no credentials');
    return {
      accessKeyId: AWS_ACCESS_KEY_ID,
      secretAccessKey: AWS_SECRET_ACCESS_KEY,
      sessionToken: AWS_SESSION_TOKEN,
    };
  };
}

/** The same by the name that `@aws-sdk/credential-providers` has for it. */
export const fromNodeProviderChain = () => defaultProvider();
