/** A state machine with a Distributed Map, and what that needs around it. */
import { ArnFormat, RemovalPolicy, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as sfn from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';
import { acknowledgePatterns } from './acknowledge.js';

export interface MapStateMachineProps {
  /** In the Amazon States Language. */
  readonly definition: object;
  readonly comment: string;
  /** What its role is for, in words. */
  readonly may: string;
  readonly statements: readonly iam.PolicyStatementProps[];
  /** Default: 3 months. */
  readonly logRetention: logs.RetentionDays | undefined;
}

/** It costs nothing while it does not run. */
export function mapStateMachine(scope: Construct, props: MapStateMachineProps): sfn.StateMachine {
  const logGroup = new logs.LogGroup(scope, 'Log', {
    retention: props.logRetention ?? logs.RetentionDays.THREE_MONTHS,
    removalPolicy: RemovalPolicy.DESTROY,
  });
  const role = new iam.Role(scope, 'Role', {
    assumedBy: new iam.ServicePrincipal('states.amazonaws.com', {
      conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(scope).account } },
    }),
    description: `sealdrop: ${props.may}`,
  });
  for (const statement of props.statements) role.addToPolicy(new iam.PolicyStatement(statement));
  const stateMachine = new sfn.StateMachine(scope, 'StateMachine', {
    definitionBody: sfn.DefinitionBody.fromString(Stack.of(scope).toJsonString(props.definition)),
    role,
    comment: props.comment,
    tracingEnabled: true,
    // Every event, but none of the keys in them.
    logs: { destination: logGroup, level: sfn.LogLevel.ALL, includeExecutionData: false },
  });
  allowChildRuns(scope, role, stateMachine);
  acknowledgePatterns(role, [
    { resources: ['*'], pattern: 'The actions of X-Ray and of log delivery know no resources.' },
  ]);
  return stateMachine;
}

/** As ResultWriter needs it: https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html */
export const reportsAccess = (objects: string): iam.PolicyStatementProps => ({
  actions: ['s3:PutObject', 's3:GetObject', 's3:ListMultipartUploadParts', 's3:AbortMultipartUpload'],
  resources: [objects],
});

/** A policy of its own: the state machine waits for the role's first one, which so cannot name it. */
function allowChildRuns(scope: Construct, role: iam.Role, stateMachine: sfn.StateMachine): void {
  const children = Stack.of(scope).formatArn({
    service: 'states',
    resource: 'execution',
    resourceName: `${stateMachine.stateMachineName}:*`,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
  acknowledgePatterns(scope, [
    { resources: [children], pattern: 'The runs that its Distributed Map starts.' },
  ]);
  new iam.Policy(scope, 'ChildRuns', {
    roles: [role],
    statements: [
      new iam.PolicyStatement({
        actions: ['states:StartExecution'],
        resources: [stateMachine.stateMachineArn],
      }),
      new iam.PolicyStatement({
        actions: ['states:DescribeExecution', 'states:StopExecution'],
        resources: [children],
      }),
    ],
  });
}
