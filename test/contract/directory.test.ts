import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createVault, openDirectoryStore } from '../../src/store/directory.js';
import { objectStoreSuite } from './object-store.suite.js';

objectStoreSuite(
  'directory',
  async () => {
    const root = await mkdtemp(join(tmpdir(), 'sealdrop-vault-'));
    await createVault(root);
    return {
      store: openDirectoryStore({ root }),
      missing: openDirectoryStore({ root: join(root, 'missing') }),
      raw: (key) => readFile(join(root, key)),
      close: () => rm(root, { recursive: true }),
    };
  },
  { checked: 'fsync' },
);
