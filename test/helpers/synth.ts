/** Stacks for tests, as they are synthesized, and what their policies say. */
import { readFileSync } from 'node:fs';
import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import type { Construct } from 'constructs';
import {
  EncryptionGateway,
  GatewayApi,
  type EncryptionGatewayProps,
  type GatewayApiProps,
} from '../../lib/index.js';

export const ACCOUNT = '111122223333';
export const REGION = 'ap-northeast-1';

/** As `cdk deploy` has them here: the CDK's own rules for templates are errors. */
const FLAGS = JSON.parse(readFileSync(new URL('../../cdk.json', import.meta.url), 'utf8')).context;

const LEAST = {
  deployment: 'test',
  publicKeySetSecretName: 'sealdrop/test/public-keys',
  vaultWriteSecretName: 'sealdrop/test/vault-write',
};

export interface Synthesized {
  readonly stack: Stack;
  readonly template: Template;
}

type Given<Props> = (stack: Construct) => Partial<Props>;

/** A stack with a gateway: `props` may import into the stack what is there already. */
export function synthesize(props: Given<EncryptionGatewayProps> = () => ({})): Synthesized {
  const stack = emptyStack();
  new EncryptionGateway(stack, 'Gateway', { ...LEAST, ...props(stack) });
  return { stack, template: Template.fromStack(stack) };
}

export const IAM_CALLERS: GatewayApiProps['callers'] = {
  kind: 'iam',
  prefixes: { [`${ACCOUNT}:role/lab`]: 'lab/' },
};

/** The same with an API. */
export function synthesizeApi(
  props: Given<GatewayApiProps> = () => ({}),
  gatewayProps: Given<EncryptionGatewayProps> = () => ({}),
): Synthesized {
  const stack = emptyStack();
  const gateway = new EncryptionGateway(stack, 'Gateway', { ...LEAST, ...gatewayProps(stack) });
  const vaultReadSecretName = 'sealdrop/test/vault-read';
  new GatewayApi(stack, 'Api', { gateway, callers: IAM_CALLERS, vaultReadSecretName, ...props(stack) });
  return { stack, template: Template.fromStack(stack) };
}

/** Its templates are not validated, which takes long for each: those of `validatedApp` are. */
export const emptyApp = (): App => new App({ context: FLAGS, builtinCloudFormationValidation: false });

/** When it is synthesized, what CloudFormation would refuse is an error. */
export const validatedApp = (): App => new App({ context: FLAGS });

export const emptyStack = (): Stack =>
  new Stack(emptyApp(), 'Test', { env: { account: ACCOUNT, region: REGION } });

export interface Statement {
  readonly effect: string;
  readonly actions: string[];
  readonly resources: string[];
  readonly conditions: string;
}

/** What a role may do, all its policies together; `role` begins the role's logical id. */
export function statementsOf(template: Template, role: string): Statement[] {
  const roles = Object.keys(template.findResources('AWS::IAM::Role')).filter((id) => id.startsWith(role));
  if (roles.length !== 1) throw new Error(`${roles.length} roles begin with ${role}`);
  const properties = template.findResources('AWS::IAM::Role')[roles[0]!]!.Properties;
  if (properties.ManagedPolicyArns !== undefined || properties.Policies !== undefined)
    throw new Error(`${role} has policies that are not looked at`);
  return Object.values(template.findResources('AWS::IAM::Policy'))
    .filter((policy) => policy.Properties.Roles.some((each: { Ref: string }) => each.Ref === roles[0]))
    .flatMap((policy) => policy.Properties.PolicyDocument.Statement.map(readStatement));
}

/** The ARN of a customer key, told apart by a digit. */
export const keyArn = (digit: number): string =>
  `arn:aws:kms:${REGION}:${ACCOUNT}:key/00000000-0000-4000-8000-00000000000${digit}`;

export const readStatement = (statement: Record<string, unknown>): Statement => ({
  effect: String(statement.Effect),
  actions: list(statement.Action),
  resources: list(statement.Resource),
  conditions: text(statement.Condition ?? {}),
});

const list = (value: unknown): string[] => (Array.isArray(value) ? value : [value]).map(text).sort();

const PSEUDO: Record<string, string> = { 'AWS::Partition': 'aws', 'AWS::URLSuffix': 'amazonaws.com' };

/** A value of a template as one string; `<Id>` and `<Id.Arn>` stand for other resources. */
export function text(value: unknown): string {
  const plain = readable(value);
  return typeof plain === 'string' ? plain : JSON.stringify(plain);
}

function readable(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(readable);
  const [name, inner] = (Object.entries(value)[0] ?? []) as [string?, unknown?];
  if (name === 'Ref') return PSEUDO[String(inner)] ?? `<${String(inner)}>`;
  if (name === 'Fn::GetAtt') return `<${(inner as string[]).join('.')}>`;
  if (name === 'Fn::Join') {
    const [delimiter, parts] = inner as [string, unknown[]];
    return parts.map(text).join(delimiter);
  }
  if (name === 'Fn::Select') return '<part of the stack’s id>';
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, readable(each)]));
}
