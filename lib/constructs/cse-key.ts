import { Annotations, Names, RemovalPolicy, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kms from 'aws-cdk-lib/aws-kms';
import type { Construct } from 'constructs';

export interface CseKeyProps {
  /** Without `alias/`. Default: the path of the construct. */
  readonly alias?: string;
  /**
   * `account`: IAM says who may use the key, as of any key that AWS makes; those named here may in any case. `restricted`: those
   * named here may and nobody else, whatever IAM says. Default: `restricted` where anybody is named, otherwise `account`.
   */
  readonly policy?: 'account' | 'restricted';
  /** Who may decrypt. At least one where the key is restricted. */
  readonly decrypters?: readonly iam.IPrincipal[];
  /** Who may encrypt, and not decrypt unless named there as well. */
  readonly encrypters?: readonly iam.IPrincipal[];
  /**
   * Who may manage a restricted key, its policy included, and not use it; whoever deploys must be among them. The account's root
   * user always may. Default: whoever IAM allows to.
   */
  readonly administrators?: readonly iam.IPrincipal[];
  /** Default: the key outlives its stack; only a first deploy that fails leaves nothing behind. */
  readonly removalPolicy?: RemovalPolicy;
}

/** Making data keys, and wrapping those that another key made; never kms:Decrypt. */
export const WRAPPING_ACTIONS = ['kms:GenerateDataKey', 'kms:Encrypt'];

/** Without kms:CreateGrant: by a grant an administrator could let himself decrypt. */
const MANAGING_ACTIONS = [
  ...['kms:Describe*', 'kms:Get*', 'kms:List*', 'kms:Enable*', 'kms:Disable*', 'kms:Update*'],
  ...['kms:PutKeyPolicy', 'kms:RevokeGrant', 'kms:RotateKeyOnDemand'],
  ...['kms:CreateAlias', 'kms:DeleteAlias', 'kms:TagResource', 'kms:UntagResource'],
  ...['kms:ScheduleKeyDeletion', 'kms:CancelKeyDeletion'],
];

/**
 * A symmetric key of AWS KMS for client-side encryption: a recipient `kms:ARN`. Rotated each year; S3 never uses it.
 * (`grantDecrypt` and its like tell IAM alone, which a restricted key does not listen to.)
 */
export class CseKey extends kms.Key {
  /** With `alias/`. */
  readonly aliasName: string;
  private readonly restricted: boolean;

  constructor(scope: Construct, id: string, props: CseKeyProps = {}) {
    const { decrypters = [], encrypters = [], administrators = [] } = props;
    const named = decrypters.length + encrypters.length + administrators.length > 0;
    const { policy = named ? 'restricted' : 'account' } = props;
    const restricted = policy === 'restricted';
    if (restricted && decrypters.length === 0)
      throw new Error('a restricted CSE key names no decrypter: nobody could open what it encrypts');
    if (!restricted && administrators.length > 0)
      throw new Error('administrators are named where the policy of the CSE key is "restricted"');
    super(scope, id, {
      description: 'sealdrop: clients encrypt with it (CSE-KMS)',
      enableKeyRotation: true,
      policy: restricted ? managed(administrators) : undefined,
      removalPolicy: props.removalPolicy ?? RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    });
    this.restricted = restricted;
    const alias = props.alias ?? Names.uniqueResourceName(this, { maxLength: 200, separator: '-' });
    this.aliasName = `alias/${alias}`;
    this.addAlias(alias);
    this.allow('Decrypt', decrypters, ['kms:Decrypt']);
    this.allow('Encrypt', encrypters, WRAPPING_ACTIONS);
  }

  /** Names a role that IAM lets encrypt. In another stack the two would wait for each other: say so among `encrypters`. */
  nameEncrypter(role: iam.IRole): void {
    if (!this.restricted) return;
    if (Stack.of(role) === Stack.of(this)) this.allow('Encrypt', [role], WRAPPING_ACTIONS);
    else
      Annotations.of(role).addWarningV2(
        'sealdrop:cseKeyOfAnotherStack',
        `the key policy of ${this.node.path} must name this role: add its ARN to the encrypters there`,
      );
  }

  private allow(sid: string, principals: readonly iam.IPrincipal[], actions: string[]): void {
    if (principals.length === 0) return;
    this.addToResourcePolicy(
      new iam.PolicyStatement({ sid, principals: [...principals], actions, resources: ['*'] }),
    );
  }
}

/** A key policy by which nobody uses the key. Without the account's root user in it a key may be out of everybody's reach. */
function managed(administrators: readonly iam.IPrincipal[]): iam.PolicyDocument {
  const statement = (props: iam.PolicyStatementProps) =>
    new iam.PolicyStatement({ actions: MANAGING_ACTIONS, resources: ['*'], ...props });
  const account = { principals: [new iam.AccountRootPrincipal()] };
  if (administrators.length === 0)
    return new iam.PolicyDocument({ statements: [statement({ sid: 'ManageByIam', ...account })] });
  // The root user itself: without the condition it stands for everybody whom IAM allows.
  // https://repost.aws/knowledge-center/kms-prevent-access
  const conditions = { StringEquals: { 'aws:PrincipalType': 'Account' } };
  return new iam.PolicyDocument({
    statements: [
      statement({ sid: 'ManageAsRootUser', ...account, conditions }),
      statement({ sid: 'Manage', principals: [...administrators] }),
    ],
  });
}
