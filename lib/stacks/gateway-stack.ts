import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type * as sns from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import { OUTPUTS } from '../../src/contract.js';
import type { GatewayApiProps } from '../constructs/api-props.js';
import { Backfill, type BackfillProps } from '../constructs/backfill.js';
import { EncryptionGateway } from '../constructs/encryption-gateway.js';
import { GatewayApi } from '../constructs/gateway-api.js';
import type { EncryptionGatewayProps } from '../constructs/gateway-props.js';
import { GatewayMonitoring } from '../constructs/monitoring.js';
import { Rewrap, type RewrapProps } from '../constructs/rewrap.js';

export interface StackParts {
  readonly gateway: EncryptionGatewayProps & { readonly deployment: string };
  /** Default: no API. */
  readonly api?: Omit<GatewayApiProps, 'gateway'>;
  /** Where inventories may be read for a backfill. Default: nowhere; listings always can. */
  readonly inventory?: BackfillProps['inventory'];
  /** Default: nothing is rewrapped here, and no function could. */
  readonly rewrap?: Omit<RewrapProps, 'gateway' | 'reports'>;
  /** Where alarms are sent. Default: they are seen in CloudWatch alone. */
  readonly alarmTopic?: sns.ITopic;
}

export interface GatewayStackProps extends StackProps {
  /** Called with the stack, in which buckets, keys, topics and networks that are there already can be imported. */
  readonly parts: (stack: Stack) => StackParts;
}

/** One deployment: the gateway, and what it takes to run it. */
export class GatewayStack extends Stack {
  constructor(scope: Construct, id: string, { parts, ...props }: GatewayStackProps) {
    super(scope, id, { description: 'sealdrop: files come in, only ciphertext goes out', ...props });
    const { gateway: gatewayProps, api: apiProps, inventory, rewrap: rewrapProps, alarmTopic } = parts(this);
    const gateway = new EncryptionGateway(this, 'Gateway', gatewayProps);
    const api = apiProps && new GatewayApi(this, 'Api', { ...apiProps, gateway });
    const backfill = this.backfill(gateway, gatewayProps, inventory);
    const { reports } = backfill;
    const rewrap = rewrapProps && new Rewrap(this, 'Rewrap', { ...rewrapProps, gateway, reports });
    const { queue, deadLetterQueue, deployment } = gateway;
    new GatewayMonitoring(this, 'Monitoring', {
      functions: [
        ...gateway.functions,
        ...(api?.functions ?? []),
        ...(rewrap === undefined ? [] : [rewrap.rewrapObject.function]),
      ],
      api: api?.httpApi,
      queue,
      deadLetterQueue,
      deployment,
      topic: alarmTopic,
    });
    this.tell({
      [OUTPUTS.inboxes]: this.toJsonString(
        gateway.inboxes.map(({ settings: { bucket, prefix, suffix } }) => ({ bucket, prefix, suffix })),
      ),
      InboxBucket: gateway.inboxBucket?.bucketName,
      [OUTPUTS.queue]: queue.queueUrl,
      [OUTPUTS.deadLetters]: deadLetterQueue.queueUrl,
      [OUTPUTS.encryptObject]: gateway.encryptObject.function.functionName,
      [OUTPUTS.log]: gateway.encryptObject.logGroup.logGroupName,
      [OUTPUTS.backfill]: backfill.stateMachine.stateMachineArn,
      [OUTPUTS.reports]: backfill.reportsAddress,
      [OUTPUTS.rewrap]: rewrap?.stateMachine.stateMachineArn,
      [OUTPUTS.api]: api?.url,
    });
  }

  private backfill(
    gateway: EncryptionGateway,
    { maxConcurrency, logRetention }: EncryptionGatewayProps,
    inventory: BackfillProps['inventory'],
  ): Backfill {
    return new Backfill(this, 'Backfill', {
      encryptFunction: gateway.encryptObject.function,
      inboxes: gateway.inboxes.map(({ bucket, settings: { prefix } }) => ({ bucket, prefix })),
      maxConcurrency,
      logRetention,
      inventory,
    });
  }

  private tell(outputs: Record<string, string | undefined>): void {
    for (const [name, value] of Object.entries(outputs))
      if (value !== undefined) new CfnOutput(this, name, { value });
  }
}
