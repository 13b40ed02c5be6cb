/** From a deployment of the kind `vault` to the props of its key. */
import { ArnPrincipal } from 'aws-cdk-lib/aws-iam';
import type { CseKeyProps } from '../lib/index.js';
import type { VaultConfig } from '../src/config/deployment.js';

export function cseKeyProps(config: VaultConfig): CseKeyProps {
  return {
    policy: config.keyPolicy,
    decrypters: config.decrypters?.map(byArn),
    encrypters: config.encrypters?.map(byArn),
    administrators: config.administrators?.map(byArn),
  };
}

const byArn = (arn: string) => new ArnPrincipal(arn);
