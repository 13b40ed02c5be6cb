import { auditLog } from '../../src/access-log.js';
import { listsOf, rewrappingPartsOf } from '../../src/compose-rewrapping.js';
import type { RewrapObjectSettings } from '../../src/contract.js';
import { functionSettings } from '../../src/function-settings.js';
import { renewing } from '../../src/secrets/renewing.js';
import { secretsManager } from '../../src/secrets/secrets-manager.js';
import { createHandler } from './handler.js';

const settings = functionSettings<RewrapObjectSettings>();

export const handler = createHandler(settings, {
  withParts: renewing(rewrappingPartsOf(settings, secretsManager())),
  lists: listsOf(settings),
  audit: auditLog(settings.deployment, 'rewrap'),
});
