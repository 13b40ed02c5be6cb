/** What cdk-nag's rules say of a construct and is meant so, with the reason. */
import { Stack, Validations } from 'aws-cdk-lib';
import type * as iam from 'aws-cdk-lib/aws-iam';
import type { Construct, IConstruct } from 'constructs';

/** A statement, and why its resources are a pattern, where they are. */
export interface Grant extends iam.PolicyStatementProps {
  readonly pattern?: string;
}

/** Acknowledges resources with a `*`, each by itself: one that is added later is found again. */
export function acknowledgePatterns(scope: Construct, grants: readonly Grant[]): void {
  for (const { resources = [], pattern } of grants)
    for (const resource of resources.map((each) => readable(Stack.of(scope).resolve(each))))
      if (resource.includes('*') && pattern !== undefined)
        Validations.of(scope).acknowledge({
          id: `AwsSolutions-IAM5[Resource::${resource}]`,
          reason: pattern,
        });
}

/** The function that tells S3 where notifications go is the CDK's own, one for a stack. */
export function acknowledgeNotifications(scope: Construct): void {
  const handler: IConstruct | undefined = Stack.of(scope).node.children.find(({ node }) =>
    node.id.startsWith('BucketNotificationsHandler'),
  );
  if (handler === undefined) return;
  for (const partition of ['<AWS::Partition>', 'aws'])
    Validations.of(handler).acknowledge({
      id: `AwsSolutions-IAM4[Policy::arn:${partition}:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole]`,
      reason: 'A function of the CDK that runs at a deploy alone; the policy lets it write its log.',
    });
}

/** As cdk-nag writes it: `<Id.Arn>/*`. */
function readable(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  const { Ref, 'Fn::GetAtt': attribute, 'Fn::Join': join } = value as Intrinsic;
  if (Ref !== undefined) return `<${Ref}>`;
  if (attribute !== undefined) return `<${attribute.join('.')}>`;
  return join === undefined ? JSON.stringify(value) : join[1].map(readable).join(join[0]);
}

interface Intrinsic {
  readonly Ref?: string;
  readonly 'Fn::GetAtt'?: readonly string[];
  readonly 'Fn::Join'?: readonly [string, readonly unknown[]];
}
