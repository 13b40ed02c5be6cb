import { accessLog } from '../../src/access-log.js';
import { loadEncryption } from '../../src/compose-encryptor.js';
import { openGatewayParts } from '../../src/compose-gateway.js';
import type { PutObjectSettings } from '../../src/contract.js';
import { renewing } from '../../src/secrets/renewing.js';
import { secretsManager } from '../../src/secrets/secrets-manager.js';
import { functionSettings } from '../../src/function-settings.js';
import { createHandler } from './handler.js';

const settings = functionSettings<PutObjectSettings>();
await loadEncryption(settings);
const parts = openGatewayParts(settings, { secrets: secretsManager() });

export const handler = createHandler(settings, {
  withParts: renewing(parts),
  report: accessLog(settings.deployment),
});
