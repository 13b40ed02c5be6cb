import { collect } from '../helpers/bytes.js';
import { MemoryStore } from '../../src/store/memory.js';
import { objectStoreSuite } from './object-store.suite.js';

objectStoreSuite(
  'memory',
  async () => {
    const store = new MemoryStore();
    return { store, raw: async (key) => collect((await store.get(key)).body), close: async () => {} };
  },
  { checked: 'size' },
);
