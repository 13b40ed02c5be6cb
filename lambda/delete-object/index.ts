import { accessLog } from '../../src/access-log.js';
import { vaultOf } from '../../src/compose-vault.js';
import type { DeleteObjectSettings } from '../../src/contract.js';
import { renewing } from '../../src/secrets/renewing.js';
import { secretsManager } from '../../src/secrets/secrets-manager.js';
import { functionSettings } from '../../src/function-settings.js';
import { createHandler } from './handler.js';

const settings = functionSettings<DeleteObjectSettings>();
const vault = vaultOf(settings.vault, {
  secrets: secretsManager(),
  ttlSeconds: settings.secretsTtlSeconds,
});

export const handler = createHandler(settings, {
  withVault: renewing(vault),
  report: accessLog(settings.deployment),
});
