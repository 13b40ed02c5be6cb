import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { SFNClient } from '@aws-sdk/client-sfn';
import { SQSClient } from '@aws-sdk/client-sqs';
import { SealdropError } from '../errors.js';
import type { AwsSettings, Operations } from '../operations.js';
import { printable } from '../printable.js';
import { assertRegion, clientSettings } from './clients.js';
import { awsError } from './errors.js';
import { sqsQueue } from './queue.js';
import { sfnRuns } from './runs.js';

/** @throws SealdropError `usage` for settings that cannot work */
export async function openOperations(settings: AwsSettings): Promise<Operations> {
  const shared = clientSettings(settings);
  const stacks = new CloudFormationClient(shared);
  // The endpoint that is configured, not the host in a queue's address.
  const queues = new SQSClient({ ...shared, useQueueUrlAsEndpoint: false });
  const machines = new SFNClient(shared);
  await assertRegion(stacks.config.region);
  return {
    async outputs(StackName, abortSignal) {
      const command = new DescribeStacksCommand({ StackName });
      const { Stacks = [] } = await stacks.send(command, { abortSignal }).catch((error: unknown) => {
        // CloudFormation's name for a stack that is not there.
        if ((error as Error).name === 'ValidationError') return { Stacks: [] };
        throw awsError(error, `the stack ${StackName}`);
      });
      if (Stacks[0] === undefined)
        throw new SealdropError('deployment_not_found', `there is no stack ${printable(StackName)}`, {
          hint: 'check --deployment, and --region and --profile: they say where it is looked for',
        });
      const outputs = Stacks[0].Outputs ?? [];
      return Object.fromEntries(outputs.map(({ OutputKey, OutputValue }) => [OutputKey!, OutputValue!]));
    },
    queue: (url) => sqsQueue(queues, url),
    runs: (stateMachine) => sfnRuns(machines, stateMachine),
    close() {
      for (const client of [stacks, queues, machines]) client.destroy();
    },
  };
}
