/** From a folder into a vault. */
import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { SealdropError } from '../../errors.js';
import { printable } from '../../printable.js';
import { isOfSize, type Encryptor } from '../../ports.js';
import type { Secret } from '../../secret.js';
import { keptPairs, timeText } from '../attributes.js';
import { objectContext } from '../context.js';
import { readMetadata } from '../metadata.js';
import { put } from '../put.js';
import { openFileBelow, openFileSource, type FileSource, type Source } from '../source.js';
import type { TreeFilter } from '../tree/filter.js';
import type { LinkRule } from '../tree/walk.js';
import { hashed, sha256Of } from '../hashed.js';
import { CONTENT_MAC, contentMac } from './content-mac.js';
import { isState, stateOf, type Known } from './index-file.js';
import { localEntries, type LocalEntry } from './local-side.js';
import type { Direction, SyncEvent } from './sync.js';
import { removeObject, vaultEntries, type VaultEntry, type VaultPlace } from './vault-side.js';

export interface UpOptions {
  /** A real path. */
  root: string;
  vault: VaultPlace;
  encryptor: Encryptor;
  /** The user's own pairs. */
  context?: Readonly<Record<string, string>>;
  filter: TreeFilter;
  links: LinkRule;
  /** Compare by content: of each file, and of what was stored with the same key. */
  syncKey?: Secret<Buffer>;
  signal: AbortSignal;
  /** Plaintext bytes, as they are read. */
  onBytes?: (bytes: number) => void;
}

export function syncUp(options: UpOptions): Direction<LocalEntry, VaultEntry> {
  const { root, vault, encryptor, filter, links, syncKey, signal } = options;
  const { store, prefix } = vault;
  const strays: SyncEvent[] = [];
  const open = async ({ path, file }: LocalEntry) =>
    links === 'follow' ? openFileSource(file, { regular: true }) : openFileBelow(root, path);

  /** Whether an object has the size that this file would have: stored by this, or by what keeps no attributes. */
  function hasSizeOf(key: string, stats: BigIntStats, stored: number): boolean {
    const context = objectContext(key, options.context);
    return [{ ...context, ...keptPairs(stats) }, context].some((pairs) =>
      isOfSize(stored, encryptor.ciphertextSize(Number(stats.size), pairs)),
    );
  }

  return {
    strays,
    from: () => localEntries(root, { filter, links, signal }, { strays }),
    to: () => vaultEntries(vault, { filter, signal }),
    bytes: ({ stats }) => stats && Number(stats.size),
    remove: (object) => removeObject(vault, object, signal),

    async same(entry, { info }, known) {
      const { path, stats } = entry;
      const key = prefix + path;
      if (!hasSizeOf(key, stats!, info.size)) return undefined;
      const now: Known = { path, etag: info.etag, ...stateOf(stats!) };
      if (syncKey === undefined) {
        if (known === undefined && isLaterThan(info.modified, stats!)) return { ...now, guessed: true };
        if (known !== undefined && isSame(known, now)) return known;
        const facts = readMetadata((await store.head(key, { signal })).metadata);
        const mtime = timeText(stats!.mtimeNs);
        return facts.size === now.size && mtime !== undefined && facts.mtime === mtime ? now : undefined;
      }
      const { metadata = {} } = await store.head(key, { signal });
      const mac = await macOf(await open(entry), key, syncKey);
      return metadata[CONTENT_MAC] === mac ? now : undefined;
    },

    async transfer(entry, there) {
      const { path, file } = entry;
      const key = prefix + path;
      const mac = syncKey && (await macOf(await open(entry), key, syncKey));
      const source = await open(entry);
      const { stats } = source;
      let last = 0;
      const result = await put({
        ...{ store, key, encryptor, signal, context: options.context },
        source: mac === undefined ? source : sameContent(source, { key, mac, syncKey: syncKey!, file }),
        metadata: mac === undefined ? {} : { [CONTENT_MAC]: mac },
        preserve: true,
        lookForUnfinished: false,
        // Whoever wrote there meanwhile is not written over.
        condition: there === undefined ? { absent: true } : { ifMatch: there.info.etag },
        onProgress: (bytes) => {
          options.onBytes?.(bytes - last);
          last = bytes;
        },
      });
      return { path, etag: result.etag, ...stateOf(stats), bytes: result.plaintextSize };
    },
  };
}

const isSame = (known: Known, now: Known): boolean =>
  now.etag !== '' && known.etag === now.etag && isState(known, now);

/** Stored after the file became what it is; S3 tells whole seconds, cut off. */
function isLaterThan(modified: Date, { mtimeNs, ctimeNs }: BigIntStats): boolean {
  const changed = mtimeNs > ctimeNs ? mtimeNs : ctimeNs;
  return BigInt(modified.getTime()) * 1_000_000n > changed;
}

async function macOf(source: FileSource, key: string, syncKey: Secret<Buffer>): Promise<string> {
  try {
    return contentMac(syncKey, key, await sha256Of(source.read()));
  } finally {
    await source.close();
  }
}

/** What goes up must be what the digest was made of, which went ahead of it. */
function sameContent(
  source: Source,
  { key, mac, syncKey, file }: { key: string; mac: string; syncKey: Secret<Buffer>; file: string },
): Source {
  async function* read() {
    const hash = createHash('sha256');
    yield* hashed(source.read(), hash);
    if (contentMac(syncKey, key, hash.digest()) === mac) return;
    throw new SealdropError('source_changed', `${printable(file)} was written to while it was read`, {
      hint: 'try again when it rests',
      retryable: true,
    });
  }
  return { ...source, read };
}
