import {
  DescribeExecutionCommand,
  DescribeMapRunCommand,
  ListExecutionsCommand,
  ListMapRunsCommand,
  StartExecutionCommand,
  UpdateMapRunCommand,
  type SFNClient,
} from '@aws-sdk/client-sfn';
import { SealdropError } from '../errors.js';
import type { MapRuns, RunInput, RunStatus } from '../operations.js';
import { printable } from '../printable.js';
import { awsError } from './errors.js';

export function sfnRuns(client: SFNClient, stateMachineArn: string): MapRuns {
  const asked = async <T>(request: Promise<T>, id?: string): Promise<T> =>
    request.catch((error: unknown) => {
      const { name } = error as Error;
      if (id !== undefined && (name === 'ExecutionDoesNotExist' || name === 'InvalidArn'))
        throw new SealdropError('run_not_found', `there is no run ${printable(id)}`, {
          cause: error,
          hint: 'it is the ARN that backfill start printed; AWS keeps runs for 90 days',
        });
      throw awsError(error, `the state machine ${stateMachineArn}`);
    });

  /** A run has one Distributed Map. */
  async function mapRun(executionArn: string, abortSignal?: AbortSignal): Promise<string | undefined> {
    const command = new ListMapRunsCommand({ executionArn });
    const { mapRuns = [] } = await asked(client.send(command, { abortSignal }), executionArn);
    return mapRuns[0]?.mapRunArn;
  }

  return {
    async start(input, abortSignal) {
      const command = new StartExecutionCommand({ stateMachineArn, input: JSON.stringify(input) });
      return (await asked(client.send(command, { abortSignal }))).executionArn!;
    },
    async latest(abortSignal) {
      const command = new ListExecutionsCommand({ stateMachineArn, maxResults: 1 });
      const { executions = [] } = await asked(client.send(command, { abortSignal }));
      return executions[0]?.executionArn;
    },
    async describe(id, abortSignal) {
      const command = new DescribeExecutionCommand({ executionArn: id });
      const run = await asked(client.send(command, { abortSignal }), id);
      return {
        id,
        status: run.status as RunStatus,
        started: run.startDate!,
        ...(run.stopDate !== undefined && { ended: run.stopDate }),
        input: JSON.parse(run.input ?? '{}') as RunInput,
        ...(run.output !== undefined && { output: run.output }),
        ...(run.error !== undefined && { error: run.error }),
        ...(run.cause !== undefined && { cause: run.cause }),
      };
    },
    async counts(id, abortSignal) {
      const mapRunArn = await mapRun(id, abortSignal);
      if (mapRunArn === undefined) return undefined;
      const command = new DescribeMapRunCommand({ mapRunArn });
      const { itemCounts } = await asked(client.send(command, { abortSignal }), id);
      const { total = 0, succeeded = 0, failed = 0, timedOut = 0, aborted = 0 } = itemCounts ?? {};
      return { total, done: succeeded, failed: failed + timedOut + aborted };
    },
    async limit(id, maxConcurrency, abortSignal) {
      const mapRunArn = await mapRun(id, abortSignal);
      if (mapRunArn === undefined) return false;
      await asked(client.send(new UpdateMapRunCommand({ mapRunArn, maxConcurrency }), { abortSignal }), id);
      return true;
    },
  };
}
