import { accessLog } from '../../src/access-log.js';
import { bucketInbox, publicKeysOf, readableVaultOf } from '../../src/compose-api.js';
import type { ApiSettings } from '../../src/contract.js';
import { renewing } from '../../src/secrets/renewing.js';
import { secretsManager } from '../../src/secrets/secrets-manager.js';
import { functionSettings } from '../../src/function-settings.js';
import { createHandler } from './handler.js';

const settings = functionSettings<ApiSettings>();
const secrets = secretsManager();
const vault = readableVaultOf(settings.vault, { secrets, ttlSeconds: settings.secretsTtlSeconds });
const keys = publicKeysOf(settings, secrets);

export const handler = createHandler(settings, {
  withVault: renewing(vault),
  publicKeys: () => keys.current(),
  inbox: bucketInbox(settings),
  report: accessLog(settings.deployment),
});
