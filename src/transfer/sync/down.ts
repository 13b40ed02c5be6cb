/** From a vault into a folder. */
import { SealdropError } from '../../errors.js';
import type { Decryptor, ReadPolicy } from '../../ports.js';
import { printable } from '../../printable.js';
import type { Secret } from '../../secret.js';
import { timeText } from '../attributes.js';
import type { Binding } from '../context.js';
import { get } from '../get.js';
import { readMetadata } from '../metadata.js';
import { openFileBelow } from '../source.js';
import type { TreeFilter } from '../tree/filter.js';
import { segmentsOf } from '../tree/names.js';
import { TreeRoot } from '../tree/tree-root.js';
import { sha256Of } from '../hashed.js';
import { CONTENT_MAC, contentMac } from './content-mac.js';
import { isState, stateOf, type Known } from './index-file.js';
import { localEntries, removeFile, type LocalEntry } from './local-side.js';
import type { Direction, SyncEvent } from './sync.js';
import { vaultEntries, type VaultEntry, type VaultPlace } from './vault-side.js';

export interface DownOptions extends Binding {
  /** A real path; what it leads to need not be there. */
  root: string;
  vault: VaultPlace;
  decryptor: Decryptor;
  /** What the vault is configured to allow, where the decryptor was not told. */
  allowed?: ReadPolicy | undefined;
  filter: TreeFilter;
  /** Write a configuration of sealdrop's, too. */
  force?: boolean;
  /** Paths of files whose places nothing takes. */
  protect?: readonly string[];
  syncKey?: Secret<Buffer>;
  signal: AbortSignal;
  /** Ciphertext bytes, as they are read. */
  onBytes?: (bytes: number) => void;
}

/** The folder is made when something is written into it. */
export function syncDown(options: DownOptions): Direction<VaultEntry, LocalEntry> {
  const { root, vault, filter, syncKey, signal } = options;
  const { store, prefix } = vault;
  const strays: SyncEvent[] = [];
  let opened: Promise<TreeRoot> | undefined;
  const target = () => (opened ??= TreeRoot.open(root, { sweep: true, protect: options.protect }));

  return {
    strays,
    from: () => somethingOf(vaultEntries(vault, { filter, signal }), vault),
    to: () => localEntries(root, { filter, links: 'skip', signal }, { strays, mayBeMissing: true }),
    bytes: ({ info }) => info.size,
    remove: (entry) => removeFile(root, entry),

    async same({ path, info }, { stats }, known) {
      const key = prefix + path;
      const now: Known = { path, etag: info.etag, ...stateOf(stats!) };
      const same = async () => {
        // A guess that was good enough to leave the object alone is not to keep a file that may be another.
        const seen = known !== undefined && known.guessed !== true;
        const remembered = seen && now.etag !== '' && known.etag === now.etag;
        if (syncKey === undefined && remembered && isState(known, now)) return true;
        const { metadata = {} } = await store.head(key, { signal });
        if (syncKey !== undefined)
          return metadata[CONTENT_MAC] === contentMac(syncKey, key, await digestOf(root, path));
        const facts = readMetadata(metadata);
        return facts.size === now.size && sameMoment(facts.mtime, timeText(stats!.mtimeNs));
      };
      if (!(await same())) return undefined;
      // No other key may turn out to be this file.
      (await target()).keep(stats!);
      return now;
    },

    async transfer({ path, info }) {
      const segments = segmentsOf(path, { force: options.force });
      const folder = await target();
      let last = 0;
      const { plaintextSize } = await get({
        ...options,
        ...{ store, key: prefix + path, preserve: true },
        target: await folder.openFile(segments),
        onProgress: (bytes) => {
          options.onBytes?.(bytes - last);
          last = bytes;
        },
      });
      const stats = await folder.look(segments);
      // Gone again already: then it is missing the next time.
      const state = stats === undefined ? { size: -1, mtime: '', ctime: '' } : stateOf(stats);
      return { path, etag: info.etag, ...state, bytes: plaintextSize };
    },
  };
}

/** An empty place is rather a wrong one. @throws SealdropError `object_not_found` */
async function* somethingOf(
  entries: AsyncIterable<VaultEntry>,
  { store, prefix }: VaultPlace,
): AsyncGenerator<VaultEntry> {
  let empty = true;
  for await (const entry of entries) {
    empty = false;
    yield entry;
  }
  if (empty)
    throw new SealdropError(
      'object_not_found',
      `there is nothing below ${printable(store.address(prefix))}`,
      {
        hint: 'see what there is: sealdrop ls',
      },
    );
}

/** To the microsecond, which is as fine as Node sets the times of files. */
function sameMoment(a: string | undefined, b: string | undefined): boolean {
  return a !== undefined && a.slice(0, -4) === b?.slice(0, -4);
}

async function digestOf(root: string, path: string): Promise<Buffer> {
  const source = await openFileBelow(root, path);
  try {
    return await sha256Of(source.read());
  } finally {
    await source.close();
  }
}
