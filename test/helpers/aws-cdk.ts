/** The stock command of AWS's CDK, against a local AWS. */
import { join } from 'node:path';
import type { Aws } from './aws-server.js';
import { run } from './run.js';

export interface CdkApp {
  readonly aws: Aws;
  /** Where it runs: nothing of the project is written. */
  readonly folder: string;
  /** How CDK starts the app. */
  readonly app: string;
  /** Context, as `-c name=value`. */
  readonly context?: Readonly<Record<string, string>>;
}

const CLI = join(process.cwd(), 'node_modules/aws-cdk/bin/cdk');
// A deployment that hangs would wait for ever.
const DEPLOY_TIME = 5 * 60_000;

/** @returns what it wrote to standard output */
export async function cdk(what: CdkApp, args: string[], timeout = DEPLOY_TIME): Promise<string> {
  const { aws, folder, app, context = {} } = what;
  const pairs = Object.entries({ synthesizer: 'cli', ...context }).flatMap(([k, v]) => ['-c', `${k}=${v}`]);
  const fixed = ['--app', app, '--output', join(folder, 'cdk.out'), '--no-notices', '--no-color', ...pairs];
  return run(process.execPath, [CLI, ...args, ...fixed], {
    cwd: folder,
    timeout,
    env: { ...aws.environment, CI: 'true', CDK_DISABLE_CLI_TELEMETRY: 'true', HOME: folder },
  });
}

export async function bootstrap(what: CdkApp): Promise<void> {
  await cdk(what, ['bootstrap', `aws://000000000000/${what.aws.region}`]);
}
