/** The local gateway: what lands in a folder is encrypted into a vault. */
import type { BigIntStats, Dirent } from 'node:fs';
import { readdir, realpath } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { watch } from 'chokidar';
import { SealdropError, systemCode } from '../errors.js';
import type { Encryptor, ObjectStore } from '../ports.js';
import { printable } from '../printable.js';
import { isWithin } from '../real-path.js';
import type { Secret } from '../secret.js';
import { sameState } from '../transfer/source.js';
import { encryptObject } from './encrypt-object.js';
import { isSettled, openInboxFile, type Seen, stateOf, versionOf } from './inbox-file.js';
import { isSameFile, PRIVATE_FOLDER, putBackLeftovers, takeAway } from './leaving.js';
import { codeOf, isPermanent } from './permanent.js';

const WORKERS = 2;
const RESCAN_MS = 60_000;
const RETRY_MS = 2_000;
const LAST_RETRY_MS = 300_000;
const TRIES_AT_ONCE = 5;
/** How often a run that shall end waits for a file to rest. */
const WAITS_AT_ONCE = 30;
const HIDDEN = 'hidden and temporary names are left alone';
/** Names under which programs keep files that are not finished. */
const UNFINISHED = /^\.|~$|\.(part|partial|tmp|crdownload)$/i;

export type AfterStore =
  { readonly action: 'keep' | 'delete' } | { readonly action: 'move'; readonly to: string };

export interface FolderGatewayOptions {
  inbox: string;
  store: ObjectStore;
  /** In front of every vault key: empty, or with a slash at its end. */
  prefix: string;
  encryptor: Encryptor;
  idempotencyKey: Secret<Buffer>;
  after: AfterStore;
  /** Milliseconds a file must not have changed before it is taken. */
  settleMs: number;
  report: (event: GatewayEvent) => void;
  /** How often the folder is read anew, whatever the watcher says. Default one minute. */
  rescanMs?: number;
  /** Wait before the first repetition after a failure; doubled each time, up to five minutes. Default 2 seconds. */
  retryMs?: number;
}

export type GatewayEvent =
  | { outcome: 'stored' | 'duplicate'; name: string; vaultKey: string; plaintextSize: number }
  /** Something else came into the vault later, through the API; the file stays. */
  | { outcome: 'stale'; name: string; vaultKey: string }
  | { outcome: 'failed'; name: string; error: unknown; retryInMs?: number }
  | { outcome: 'skipped'; name: string; reason: string }
  | { outcome: 'changed'; name: string }
  /** Found where a run that was killed had put it while taking it away; it is in the inbox again. */
  | { outcome: 'recovered'; name: string };

export interface Counts {
  stored: number;
  duplicate: number;
  failed: number;
}

export class FolderGateway {
  readonly counts: Counts = { stored: 0, duplicate: 0, failed: 0 };
  lastError: unknown;
  readonly #options: FolderGatewayOptions;
  readonly #root: string;
  /** Names waiting or being worked on. */
  readonly #waiting = new Set<string>();
  readonly #busy = new Set<string>();
  /** What was dealt with, by name, so that a rescan costs no request. */
  readonly #done = new Map<string, string>();
  readonly #failures = new Map<string, number>();
  /** Names that failed and wait for their next try; nothing makes it come earlier. */
  readonly #resting = new Set<string>();
  /** Files that have not rested long enough, and how often they were looked at. */
  readonly #restless = new Map<string, Seen & { looks: number }>();
  /** The version that is, or was last, tried. */
  readonly #tried = new Map<string, string>();
  /** What was stored and could not be taken away. */
  readonly #staying = new Map<string, string>();

  private constructor(options: FolderGatewayOptions, root: string) {
    this.#options = options;
    this.#root = root;
  }

  static async open(options: FolderGatewayOptions): Promise<FolderGateway> {
    return new FolderGateway(options, await realpath(options.inbox));
  }

  /** Deals with what is there, and ends. */
  async runOnce(signal: AbortSignal): Promise<void> {
    await this.#recover();
    await this.#scan();
    await Promise.all(Array.from({ length: WORKERS }, () => this.#work(signal, true)));
  }

  /** Deals with what is there and what comes, until the signal fires. */
  async run(signal: AbortSignal): Promise<void> {
    const watcher = watch(this.#root, {
      followSymlinks: false,
      ignoreInitial: true,
      ignored: (path) => path.startsWith(join(this.#root, PRIVATE_FOLDER)),
    });
    const notice = (path: string) => this.#enqueue(relative(this.#root, path));
    watcher.on('add', notice).on('change', notice);
    watcher.on('unlink', (path) => this.#forget(relative(this.#root, path)));
    // What came between the first scan and the watcher's own first look, it takes for old.
    watcher.once('ready', () => {
      this.#scan().catch((error: unknown) => this.#options.report({ outcome: 'failed', name: '', error }));
    });
    // Watching may fail (too many folders, a network share): the rescan finds all the same, only later.
    watcher.on('error', (error) => this.#options.report({ outcome: 'failed', name: '', error }));
    try {
      const workers = Array.from({ length: WORKERS }, () => this.#work(signal, false));
      await Promise.all([this.#rescan(signal), ...workers]);
    } finally {
      await watcher.close();
    }
  }

  async #rescan(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#recover();
      await this.#scan();
      await sleep(this.#options.rescanMs ?? RESCAN_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #recover(): Promise<void> {
    const { report } = this.#options;
    try {
      await putBackLeftovers(this.#root, (name) => report({ outcome: 'recovered', name }));
    } catch (error) {
      this.#skip(PRIVATE_FOLDER, (error as Error).message);
    }
  }

  async #scan(folder = ''): Promise<void> {
    const entries = await this.#read(folder);
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const name = join(folder, entry.name);
      if (entry.name === PRIVATE_FOLDER) continue;
      if (entry.isDirectory() && entry.name.startsWith('.')) this.#skip(name, HIDDEN);
      else if (entry.isDirectory()) await this.#scan(name);
      else if (entry.isFile()) this.#enqueue(name);
      else this.#skip(name, 'it is no regular file (links are not followed)');
    }
  }

  async #read(folder: string): Promise<Dirent[]> {
    const said = `${folder}${sep}`;
    try {
      const entries = await readdir(join(this.#root, folder), { withFileTypes: true });
      this.#done.delete(said);
      return entries;
    } catch (cause) {
      const code = systemCode(cause) ?? 'unknown error';
      if (folder !== '' && ['ENOENT', 'ENOTDIR'].includes(code)) return [];
      const name = folder === '' ? '.' : folder;
      const message = `cannot read the folder ${printable(name)}: ${code}`;
      const error = new SealdropError('source_unreadable', message, { cause, retryable: true });
      // What cannot be seen may hold files: never silent, and said once.
      if (this.#done.get(said) !== code) {
        this.#done.set(said, code);
        this.#count(error);
        this.#options.report({ outcome: 'failed', name, error });
      }
      return [];
    }
  }

  #forget(name: string): void {
    this.#done.delete(name);
    this.#restless.delete(name);
    this.#tried.delete(name);
  }

  #count(error: unknown): void {
    this.counts.failed++;
    this.lastError = error;
  }

  #enqueue(name: string): void {
    const folders = name.split(sep);
    const base = folders.pop()!;
    // Where programs keep what is not finished: .rsync-partial, .Trash. Said once, of the folder.
    if (folders.some((folder) => folder.startsWith('.'))) return;
    if (UNFINISHED.test(base)) this.#skip(name, HIDDEN);
    else if (base.includes('\ufffd')) this.#skip(name, 'its name is not valid UTF-8');
    else if (!this.#resting.has(name)) this.#waiting.add(name);
  }

  #skip(name: string, reason: string): void {
    if (this.#done.get(name) === reason) return;
    this.#done.set(name, reason);
    this.#options.report({ outcome: 'skipped', name, reason });
  }

  async #work(signal: AbortSignal, once: boolean): Promise<void> {
    while (!signal.aborted) {
      const name = this.#next();
      if (name === undefined) {
        if (once && this.#waiting.size + this.#resting.size + this.#busy.size === 0) return;
        await sleep(100, undefined, { signal }).catch(() => undefined);
        continue;
      }
      this.#waiting.delete(name);
      this.#busy.add(name);
      try {
        await this.#take(name, once, signal);
        this.#failures.delete(name);
      } catch (error) {
        if (!signal.aborted) this.#fail(name, error, once, signal);
      } finally {
        this.#busy.delete(name);
      }
    }
  }

  #next(): string | undefined {
    for (const name of this.#waiting) if (!this.#busy.has(name)) return name;
    return undefined;
  }

  async #take(name: string, once: boolean, signal: AbortSignal): Promise<void> {
    const { report, prefix } = this.#options;
    const path = join(this.#root, name);
    const state = await stateOf(path);
    if (state === undefined) return this.#forget(name);
    // Not waited for here: files that never rest must not keep the workers from those that do.
    if (!this.#rests(name, state, once)) return this.#lookLater(name, this.#options.settleMs, signal);
    const version = versionOf(state);
    if (this.#done.get(name) === version) return;
    this.#tried.set(name, version);
    if (this.#staying.get(name) === version) return this.#finish(name, state);
    const key = name.split(sep).join('/');
    const vaultKey = prefix + key;
    const source = await openInboxFile(this.#root, path, state);
    const { store, encryptor, idempotencyKey } = this.#options;
    // When it came here, or was changed: a file that is moved here, or unpacked, keeps an older mtime.
    const from = { inbox: 'folder', key, state: version, modified: state.ctime };
    const { outcome, plaintextSize } = await encryptObject({
      ...{ source, from, vaultKey, store, encryptor, idempotencyKey, signal },
      confirm: this.#options.after.action !== 'keep',
    });
    this.#done.set(name, version);
    this.#tried.delete(name);
    if (outcome === 'stale') return report({ outcome, name, vaultKey });
    this.counts[outcome]++;
    report({ outcome, name, vaultKey, plaintextSize });
    await this.#finish(name, state);
  }

  #rests(name: string, state: BigIntStats, once: boolean): boolean {
    const seen = this.#restless.get(name);
    if (isSettled(state, seen, this.#options.settleMs)) {
      this.#restless.delete(name);
      return true;
    }
    const looks = (seen?.looks ?? 0) + 1;
    if (once && looks > WAITS_AT_ONCE) {
      this.#failures.set(name, TRIES_AT_ONCE);
      throw new SealdropError('source_changed', `${printable(name)} keeps changing`, { retryable: true });
    }
    const same = seen !== undefined && sameState(seen.state, state);
    this.#restless.set(name, { state, since: same ? seen.since : Date.now(), looks });
    return false;
  }

  async #finish(name: string, state: BigIntStats): Promise<void> {
    const { after, report } = this.#options;
    if (after.action === 'keep') return;
    const to = after.action === 'move' ? join(after.to, name) : undefined;
    this.#staying.delete(name);
    try {
      if (await takeAway(this.#root, name, state, to)) this.#done.delete(name);
      else report({ outcome: 'changed', name });
    } catch (error) {
      // It lies where it was, with another ctime: known, so that it is not stored once more for that.
      const now = await stateOf(join(this.#root, name));
      if (now !== undefined && isSameFile(state, now)) this.#staying.set(name, versionOf(now));
      this.#done.delete(name);
      throw error;
    }
  }

  #fail(name: string, error: unknown, once: boolean, signal: AbortSignal): void {
    const failures = (this.#failures.get(name) ?? 0) + 1;
    this.#failures.set(name, failures);
    const changed = codeOf(error) === 'source_changed';
    if (once && changed && failures < TRIES_AT_ONCE) return void this.#waiting.add(name);
    const permanent = isPermanent(error) || codeOf(error) === 'usage';
    if (!once && !permanent) return this.#retryLater(name, error, changed ? 1 : failures, signal);
    this.#count(error);
    this.#done.set(name, this.#tried.get(name) ?? '');
    this.#options.report({ outcome: 'failed', name, error });
  }

  #retryLater(name: string, error: unknown, failures: number, signal: AbortSignal): void {
    const delay = Math.min(LAST_RETRY_MS, (this.#options.retryMs ?? RETRY_MS) * 2 ** (failures - 1));
    this.#options.report({ outcome: 'failed', name, error, retryInMs: delay });
    this.#lookLater(name, delay, signal);
  }

  #lookLater(name: string, delay: number, signal: AbortSignal): void {
    this.#resting.add(name);
    this.#waiting.delete(name);
    void sleep(delay, undefined, { signal }).then(
      () => {
        this.#resting.delete(name);
        this.#waiting.add(name);
      },
      () => undefined,
    );
  }
}

/** Either may be missing yet. @throws SealdropError `usage` where one folder lies in the other */
export async function assertApart(inbox: string, vault: string): Promise<void> {
  if (!(await isWithin(inbox, vault)) && !(await isWithin(vault, inbox))) return;
  throw new SealdropError(
    'usage',
    `the inbox ${printable(inbox)} and the vault ${printable(vault)} overlap`,
    { hint: 'ciphertext would be encrypted again: name folders that lie apart' },
  );
}
