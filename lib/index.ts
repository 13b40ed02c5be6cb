/** Constructs for an AWS CDK app: `import { EncryptionGateway } from 'sealdrop/cdk'`. */
export { EncryptionGateway } from './constructs/encryption-gateway.js';
export { GatewayApi } from './constructs/gateway-api.js';
export { Backfill } from './constructs/backfill.js';
export { Rewrap } from './constructs/rewrap.js';
export { GatewayMonitoring } from './constructs/monitoring.js';
export { GatewayStack } from './stacks/gateway-stack.js';
export type { GatewayMonitoringProps } from './constructs/monitoring.js';
export type { EncryptionGatewayProps } from './constructs/gateway-props.js';
export type { DecryptProps, GatewayApiProps, IamCallers, JwtCallers } from './constructs/api-props.js';
export type { BackfillInbox, BackfillProps } from './constructs/backfill.js';
export type { RewrapProps } from './constructs/rewrap.js';
export type { GatewayStackProps, StackParts } from './stacks/gateway-stack.js';
export type { NetworkProps } from './constructs/function.js';
export type { InboxBucketProps } from './constructs/inbox-bucket.js';
export type { InboxProps } from './constructs/inboxes.js';
export type { VaultBucketProps } from './constructs/vault.js';
