import { ArnFormat, type Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { SETTINGS_VARIABLE } from '../../src/contract.js';
import { acknowledgePatterns, type Grant } from './acknowledge.js';
import { bundledCode, type BundleName } from './lambda-code.js';

/** Where functions run, if not on Lambda's own network. */
export interface NetworkProps {
  readonly vpc: ec2.IVpc;
  /** Default: the VPC's private subnets. They need a way to the vault, to S3, SQS and Secrets Manager. */
  readonly vpcSubnets?: ec2.SubnetSelection;
  /** Default: one of its own, which lets everything out and nothing in. */
  readonly securityGroups?: ec2.ISecurityGroup[];
}

export interface SealdropFunctionProps {
  readonly bundle: BundleName;
  readonly description: string;
  /** What SEALDROP_SETTINGS holds: names of secrets, never their values. May hold tokens. */
  readonly settings: object;
  readonly timeout: Duration;
  /** MiB. 1,769 make one whole vCPU. */
  readonly memory: number;
  readonly logRetention: logs.RetentionDays;
  /** Whether the log outlives the stack. Default: no. */
  readonly keepLog?: boolean;
  readonly network?: NetworkProps;
}

/** Bytes. Lambda takes 4 KB of environment in all. */
const MAX_SETTINGS = 3_500;

/**
 * What every function of sealdrop has in common: arm64, a role that may do nothing but write its log and its traces,
 * a log group of its own, settings in one variable.
 */
export class SealdropFunction extends Construct {
  readonly function: lambda.Function;
  readonly role: iam.Role;
  readonly logGroup: logs.LogGroup;

  constructor(scope: Construct, id: string, props: SealdropFunctionProps) {
    super(scope, id);
    const settings = Stack.of(this).toJsonString(props.settings);
    if (Buffer.byteLength(JSON.stringify(props.settings)) > MAX_SETTINGS)
      throw new Error(
        `the settings of ${props.bundle} are longer than Lambda's environment holds: fewer inboxes or prefixes`,
      );
    this.logGroup = new logs.LogGroup(this, 'Log', {
      retention: props.logRetention,
      removalPolicy: props.keepLog === true ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    this.role = new iam.Role(this, 'Role', {
      assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'),
      description: `sealdrop: ${props.description}`,
    });
    this.grant(
      {
        actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
        resources: [this.logGroup.logGroupArn],
      },
      {
        actions: ['xray:PutTraceSegments', 'xray:PutTelemetryRecords'],
        resources: ['*'],
        pattern: 'The actions of X-Ray and of network interfaces know no resources.',
      },
    );
    if (props.network !== undefined) this.allowNetworkInterfaces();
    this.function = new lambda.Function(this, 'Function', {
      code: bundledCode(props.bundle),
      handler: 'index.handler',
      description: `sealdrop: ${props.description}`,
      // The long-term support release with the longest time to go.
      runtime: lambda.Runtime.NODEJS_24_X,
      architecture: lambda.Architecture.ARM_64,
      role: this.role,
      logGroup: this.logGroup,
      timeout: props.timeout,
      memorySize: props.memory,
      tracing: lambda.Tracing.ACTIVE,
      environment: {
        [SETTINGS_VARIABLE]: settings,
        NODE_OPTIONS: '--enable-source-maps',
        POWERTOOLS_SERVICE_NAME: `sealdrop-${props.bundle}`,
        // Answers may be presigned URLs: no trace ever holds one.
        POWERTOOLS_TRACER_CAPTURE_RESPONSE: 'false',
      },
      ...props.network,
    });
  }

  /** Adds to what the function may do. */
  grant(...grants: readonly Grant[]): void {
    for (const { pattern: _, ...statement } of grants)
      this.role.addToPolicy(new iam.PolicyStatement(statement));
    acknowledgePatterns(this, grants);
  }

  /**
   * Lambda itself makes the interfaces, with the function's role; the code in it never may.
   * https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-best-practice-security
   */
  private allowNetworkInterfaces(): void {
    const actions = [
      'ec2:CreateNetworkInterface',
      'ec2:DescribeNetworkInterfaces',
      'ec2:DescribeSubnets',
      'ec2:DeleteNetworkInterface',
      'ec2:AssignPrivateIpAddresses',
      'ec2:UnassignPrivateIpAddresses',
    ];
    const anyFunction = Stack.of(this).formatArn({
      service: 'lambda',
      resource: 'function',
      resourceName: '*',
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
    this.grant(
      { actions, resources: ['*'] },
      {
        effect: iam.Effect.DENY,
        actions,
        resources: ['*'],
        conditions: { ArnLike: { 'lambda:SourceFunctionArn': anyFunction } },
      },
    );
  }
}
