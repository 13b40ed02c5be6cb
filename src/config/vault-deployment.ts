/** A deployment of the kind `vault`: an encrypted bucket, and a key that clients encrypt with. */
import { z } from 'zod';
import { target } from './deployment-fields.js';

const principals = z
  .array(
    z
      .string()
      .regex(
        /^arn:[a-z-]+:iam::[0-9]{12}:(role|user)\/[\w+=,.@/-]+$/,
        'must be the ARN of a role or user of IAM',
      ),
  )
  .min(1);

export const vaultDeployment = z
  .strictObject({
    kind: z.literal('vault'),
    ...target,
    keyPolicy: z
      .enum(['account', 'restricted'])
      .optional()
      .describe(
        'Who may use the CSE key. account: whoever IAM allows to; restricted: whoever is named here alone. Default: restricted where anybody is named, otherwise account',
      ),
    decrypters: principals.optional().describe('Roles and users that may decrypt'),
    encrypters: principals.optional().describe('Roles and users that may encrypt, and not decrypt'),
    administrators: principals
      .optional()
      .describe('Who may manage a restricted key, and not use it. Default: whoever IAM allows to'),
  })
  .describe('A vault on AWS: an encrypted bucket, and a key that clients encrypt with');
