import { accessLog, auditLog } from '../../src/access-log.js';
import { decryptingPartsOf } from '../../src/compose-decrypting.js';
import type { DecryptObjectSettings } from '../../src/contract.js';
import { renewing } from '../../src/secrets/renewing.js';
import { secretsManager } from '../../src/secrets/secrets-manager.js';
import { functionSettings } from '../../src/function-settings.js';
import { createHandler } from './handler.js';

const settings = functionSettings<DecryptObjectSettings>();

export const handler = createHandler(settings, {
  withParts: renewing(decryptingPartsOf(settings, secretsManager())),
  audit: auditLog(settings.deployment),
  report: accessLog(settings.deployment),
});
