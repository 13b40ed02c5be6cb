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
  /**
   * Whether the CDK validates the templates, as it does unless told not to. That takes it longer than all the rest, and
   * test/stack has it done.
   */
  readonly validation?: boolean;
}

const CLI = join(process.cwd(), 'node_modules/aws-cdk/bin/cdk');
// A deployment that hangs would wait for ever.
const DEPLOY_TIME = 5 * 60_000;

/** @returns what it wrote to standard output */
export async function cdk(what: CdkApp, args: string[], timeout = DEPLOY_TIME): Promise<string> {
  const synth = ['--app', what.app, '--output', join(what.folder, 'cdk.out'), '-c', 'synthesizer=cli'];
  return command(what, [...args, ...synth], timeout);
}

/** Of no app: with one, the CDK would synthesize it for nothing. */
export async function bootstrap(what: CdkApp): Promise<void> {
  await command(what, ['bootstrap', `aws://000000000000/${what.aws.region}`], DEPLOY_TIME);
}

function command(what: CdkApp, args: string[], timeout: number): Promise<string> {
  const { aws, folder, validation = false } = what;
  return run(process.execPath, [CLI, ...args, '--no-notices', '--no-color'], {
    cwd: folder,
    timeout,
    env: {
      ...aws.environment,
      ...{ CI: 'true', CDK_DISABLE_CLI_TELEMETRY: 'true', HOME: folder },
      CDK_VALIDATION: String(validation),
    },
  });
}
