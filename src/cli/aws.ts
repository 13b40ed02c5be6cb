/** What the commands share that look after a deployment on AWS. */
import { Option, type Command } from 'commander';
import { stackNameOf } from '../contract.js';
import { SealdropError } from '../errors.js';
import type { AwsSettings, Operations, StackOutputs } from '../operations.js';
import { printable } from '../printable.js';
import { askTokenCode } from './ask.js';
import type { Environment } from './command.js';

export interface AwsOptions {
  deployment?: string;
  region?: string;
  profile?: string;
  caBundle?: string;
}

export function awsOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--deployment <name>', 'its name in sealdrop.config.json').env('SEALDROP_DEPLOYMENT'),
    )
    .addOption(new Option('--region <name>', 'region of AWS that it is in'))
    .addOption(new Option('--profile <name>', 'profile of the AWS configuration files'))
    .addOption(new Option('--ca-bundle <file>', 'certificate authorities to trust, PEM'));
}

export async function withOperations(
  { parts }: Environment,
  options: AwsOptions,
  act: (operations: Operations) => Promise<void>,
): Promise<void> {
  const operations = await parts.openOperations(awsSettings(options));
  try {
    await act(operations);
  } finally {
    operations.close();
  }
}

export function awsSettings({ region, profile, caBundle }: AwsOptions): AwsSettings {
  return {
    ...(region !== undefined && { region }),
    ...(profile !== undefined && { profile }),
    ...(caBundle !== undefined && { caBundle }),
    mfaCode: askTokenCode,
  };
}

/**
 * What a deployment calls its things.
 * @param instead the options that would do without a deployment, for the hint
 * @throws SealdropError `usage`, `deployment_not_found`
 */
export async function outputsOf(
  operations: Operations,
  { deployment }: AwsOptions,
  instead: string,
  signal: AbortSignal,
): Promise<StackOutputs> {
  // A variable that is set to nothing names none.
  if (!deployment)
    throw new SealdropError('usage', 'no deployment is named', {
      hint: `name it: --deployment NAME (or SEALDROP_DEPLOYMENT), or use ${instead}`,
    });
  return operations.outputs(stackNameOf(deployment), signal);
}

/** @throws SealdropError `aws_refused` where the stack has no such output */
export function outputNamed(outputs: StackOutputs, name: string): string {
  const value = outputs[name];
  if (value !== undefined) return value;
  throw new SealdropError('aws_refused', `the deployment has no output ${printable(name)}`, {
    hint: 'deploy it again with this version of sealdrop',
  });
}

/** A command for the same deployment, for a hint. */
export function sameDeployment(command: string, { deployment }: AwsOptions): string {
  return deployment ? `${command} --deployment ${printable(deployment)}` : command;
}

/** `3 d`, `5 h`, `12 min`, `40 s` */
export function formatAge(since: Date, now = Date.now()): string {
  const seconds = Math.max(0, Math.round((now - since.getTime()) / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}
