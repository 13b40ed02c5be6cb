/** What several kinds of deployments say. */
import { z } from 'zod';

export const arn = (service: string, what: string) =>
  z.string().regex(new RegExp(`^arn:[a-z-]+:${service}:[a-z0-9-]+:[0-9]{12}:`), `must be the ARN of ${what}`);

export const target = {
  account: z
    .string()
    .regex(/^[0-9]{12}$/, 'must be the 12 digits of an account')
    .optional()
    .describe('Default: that of the credentials'),
  region: z
    .string()
    .regex(/^[a-z]{2,}(-[a-z]+)+-[0-9]$/, 'must be a region')
    .optional()
    .describe('Default: that of the credentials'),
  synthesizer: z
    .enum(['default', 'cli'])
    .optional()
    .describe('cli: deploy with your own credentials instead of the roles of cdk bootstrap'),
};
