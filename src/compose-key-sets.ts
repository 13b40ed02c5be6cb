/** Key sets for the command `keys`: what is in them, joined with where they are kept. */
import { randomBytes } from 'node:crypto';
import { isExposed, keptFile } from './compose-key-file.js';
import { assertEncrypts, isForPrivate, isPublished, publicationOf } from './compose-publication.js';
import { SealdropError } from './errors.js';
import type {
  AskPassphrase,
  ImportOptions,
  Imported,
  KeyDescription,
  KeySet,
  KeySetSettings,
  NewKey,
  NewKeyNames,
  PublishOptions,
  Rotation,
  RotationTargets,
} from './key-sets.js';
import { openKept, readKeySource } from './key-source.js';
import type { KeptValue } from './kept.js';
import { describe } from './keys/describe.js';
import * as edit from './keys/edit-set.js';
import type { ForeignKey } from './keys/foreign-key.js';
import { generateKeyPem } from './keys/generate.js';
import { readForeignKeys } from './keys/import-key.js';
import { isKmsArn, kindOf, KMS_NAMESPACE, parseKeySet, type KeySetEntry } from './keys/key-set-document.js';
import {
  assertEachOnce,
  privatePemOf,
  publicPartOf,
  readManagedSet,
  serialize,
  spkiOf,
} from './keys/managed-set.js';
import { readPrivateHalf } from './keys/private-key-set.js';
import { fingerprintOf, isLocked } from './keys/public-key.js';
import { printable } from './printable.js';
import type { Secret } from './secret.js';
import { parseKeyLocation, shownLocation, type KeyLocation } from './secrets/key-location.js';

const AES_KEY_NAME = 'AESKey';

/** @throws SealdropError as what reads keys and secrets does */
export async function openKeySet(source: string, settings: KeySetSettings): Promise<KeySet> {
  const location = parseKeyLocation(source);
  const value = location.kind === 'file' ? keptFile(location.path) : await openKept(location, settings);
  try {
    return await Held.open(location, value, settings);
  } catch (error) {
    value.close();
    throw error;
  }
}

class Held implements KeySet {
  readonly shown: string;
  readonly kind: KeyLocation['kind'];
  #entries: KeySetEntry[] = [];
  #bare = false;
  #exposed = false;
  #version: string | undefined;

  private constructor(
    readonly location: KeyLocation,
    readonly value: KeptValue,
    readonly settings: KeySetSettings,
  ) {
    this.shown = shownLocation(location);
    this.kind = location.kind;
  }

  static async open(location: KeyLocation, value: KeptValue, settings: KeySetSettings): Promise<Held> {
    const held = new Held(location, value, settings);
    const kept = await value.read();
    if (kept === undefined) return held;
    const { entries, bare } = await readManagedSet(kept.bytes.reveal(), held.shown, settings.passphrase);
    held.#entries = entries;
    held.#bare = bare;
    held.#version = kept.version;
    if (held.kind === 'parameter') assertPublicOnly(entries, held.shown);
    held.#exposed = location.kind === 'file' && entries.some(isOpener) && (await isExposed(location.path));
    return held;
  }

  get exists(): boolean {
    return this.#version !== undefined;
  }

  get exposed(): boolean {
    return this.#exposed;
  }

  get keys(): readonly KeyDescription[] {
    return this.#entries.map(describe);
  }

  find(selector: string): KeyDescription {
    return describe(this.#entries[edit.indexOf(this.#entries, selector, this.shown)]!);
  }

  async add(key: NewKey): Promise<KeyDescription> {
    this.#assertDocument();
    const entry = await this.#made(key, key.aes === undefined ? {} : { base: AES_KEY_NAME });
    await this.#write([...this.#entries, entry]);
    return describe(entry);
  }

  async #made(key: NewKey, { base }: { base?: string }): Promise<KeySetEntry> {
    const { date, created } = now();
    const names = edit.nextNames(this.#entries, key, { base, date, where: this.shown, isNew: true });
    const shared: KeySetEntry = { ...names, created, state: 'active' };
    if (key.always === true) shared.always = true;
    if (key.aes !== undefined) return { ...shared, secretKey: randomBytes(key.aes / 8).toString('base64') };
    const passphrase = key.lock === false ? undefined : await this.#lockFor(key.lock);
    const { publicKey, privateKey } = await generateKeyPem(passphrase);
    return { ...shared, publicKey, privateKey: privateKey.reveal() };
  }

  /** What a new private half is locked by: the passphrase of the others, where those are locked. */
  async #lockFor(asked: AskPassphrase | undefined): Promise<Secret | undefined> {
    const locked = this.#entries.findIndex(({ privateKey = '' }) => isLocked(privateKey));
    if (locked < 0) return asked?.(this.shown);
    const passphrase = await (this.settings.passphrase ?? asked)?.(this.shown);
    // Throws where it does not open what is there: a set has one passphrase.
    readPrivateHalf(this.#entries[locked]!, `${this.shown}: keys[${locked}]`, passphrase);
    return passphrase;
  }

  async import(source: string, options: ImportOptions): Promise<Imported[]> {
    this.#assertDocument();
    const foreign = await this.#foreign(source, options);
    if (foreign.length > 1 && options.name !== undefined)
      throw new SealdropError('usage', `${printable(source)} has ${foreign.length} keys in it`, {
        hint: 'leave --key-name out, or put them into files of their own',
      });
    let entries = this.#entries;
    const imported: Imported[] = [];
    for (const key of foreign) {
      const merged = await this.#merged(entries, key, options);
      entries = merged.entries;
      imported.push({ key: describe(merged.entry), outcome: merged.outcome });
    }
    if (entries !== this.#entries) await this.#write(entries);
    return imported;
  }

  async #foreign(source: string, { aes }: ImportOptions): Promise<ForeignKey[]> {
    if (source.startsWith('kms:')) {
      const kmsArn = source.slice('kms:'.length);
      if (isKmsArn(kmsArn)) return [{ kmsArn }];
      throw new SealdropError('usage', 'a key of AWS KMS is put into a set by its ARN', {
        hint: 'kms:arn:aws:kms:REGION:ACCOUNT:key/ID; find it with: aws kms describe-key --key-id alias/NAME',
      });
    }
    const { passphrase, ...aws } = this.settings;
    const bytes = await readKeySource(source, undefined, aws);
    const where = shownLocation(parseKeyLocation(source));
    return readForeignKeys(bytes, where, {
      ...(passphrase !== undefined && { passphrase }),
      ...(aes === true && { aes }),
    });
  }

  async #merged(
    entries: KeySetEntry[],
    key: ForeignKey,
    options: ImportOptions,
  ): Promise<{ entries: KeySetEntry[]; entry: KeySetEntry; outcome: Imported['outcome'] }> {
    const at = entries.findIndex((entry) => isSame(entry, key) && isMeant(entry, key, options));
    const there = entries[at];
    if (there !== undefined) {
      const after = edit.inState(entries, at, options, this.shown);
      if (key.privateKey === undefined || there.privateKey !== undefined)
        return { entries: after, entry: after[at]!, outcome: after === entries ? 'present' : 'changed' };
      const entry = { ...after[at]!, ...(await this.#halvesOf(key, options)) };
      return { entries: after.with(at, entry), entry, outcome: 'completed' };
    }
    const halves = await this.#halvesOf(key, options);
    const entry = { ...this.#newNames(entries, key, options), ...stateOf(key, options), ...halves };
    return { entries: [...entries, entry], entry, outcome: 'imported' };
  }

  #newNames(entries: KeySetEntry[], key: ForeignKey, options: ImportOptions): Required<NewKeyNames> {
    if (key.kmsArn !== undefined) return { namespace: KMS_NAMESPACE, name: key.kmsArn };
    const own = key.entry === undefined ? {} : { namespace: key.entry.namespace };
    const names = {
      ...own,
      ...(key.name !== undefined && { name: key.name }),
      ...(options.namespace !== undefined && { namespace: options.namespace }),
      ...(options.name !== undefined && { name: options.name }),
    };
    const base = key.secretKey === undefined ? {} : { base: AES_KEY_NAME };
    return edit.nextNames(entries, names, { ...base, date: now().date, where: this.shown });
  }

  async #halvesOf(key: ForeignKey, { unlock }: ImportOptions): Promise<Partial<KeySetEntry>> {
    if (key.secretKey !== undefined) return { secretKey: key.secretKey.toString('base64') };
    if (key.publicKey === undefined) return {};
    const publicKey = spkiOf(key.publicKey);
    if (key.privateKey === undefined) return { publicKey };
    const locked = key.passphrase !== undefined && unlock !== true;
    const passphrase = locked ? this.#sharedLock(key.passphrase) : undefined;
    return { publicKey, privateKey: privatePemOf(key.privateKey, passphrase) };
  }

  /** @throws SealdropError `key_passphrase` where the set's own keys are locked by another */
  #sharedLock(passphrase: Secret): Secret {
    const i = this.#entries.findIndex(({ privateKey = '' }) => isLocked(privateKey));
    if (i < 0) return passphrase;
    try {
      readPrivateHalf(this.#entries[i]!, this.shown, passphrase);
      return passphrase;
    } catch {
      throw new SealdropError(
        'key_passphrase',
        `the other keys of ${this.shown} are locked by another passphrase`,
        {
          hint: 'a set has one: give the file that one first (openssl pkey -in FILE -aes256 -out NEW), or --unlock',
        },
      );
    }
  }

  exportPublic(selectors: readonly string[]) {
    const which = this.#indexes(selectors);
    const chosen = which.length === 0 ? this.#entries : which.map((i) => this.#entries[i]!);
    const { entries, left } = publicPartOf(chosen);
    if (entries.length === 0)
      throw new SealdropError('usage', `${this.shown} has no key with a public half`, {
        hint: 'whoever wraps with an AES key can unwrap: there is nothing of it that could be handed out',
      });
    // One that is named may be wanted to take it away from objects.
    if (selectors.length === 0) assertEncrypts(entries, this.shown);
    return { document: serialize(entries).toString(), keys: entries.map(describe), left: left.map(describe) };
  }

  async retire(selectors: readonly string[]): Promise<KeyDescription[]> {
    return this.#changed(selectors, (entries, which) => edit.retire(entries, which, this.shown));
  }

  async activate(selectors: readonly string[]): Promise<KeyDescription[]> {
    return this.#changed(selectors, edit.activate);
  }

  async remove(selectors: readonly string[]): Promise<KeyDescription[]> {
    const which = this.#indexes(selectors);
    const removed = which.map((i) => describe(this.#entries[i]!));
    await this.#changed(selectors, (entries, indexes) => edit.remove(entries, indexes, this.shown));
    return removed;
  }

  async #changed(
    selectors: readonly string[],
    change: (entries: KeySetEntry[], which: readonly number[]) => KeySetEntry[],
  ): Promise<KeyDescription[]> {
    this.#assertThere();
    this.#assertDocument();
    const which = this.#indexes(selectors);
    const after = change(this.#entries, which);
    await this.#write(after);
    return which.flatMap((i) => (after[i] === undefined ? [] : [describe(after[i])]));
  }

  publication(options: PublishOptions) {
    this.#assertThere();
    return publicationOf(this.#entries, this, options, this.settings);
  }

  async rotate(
    selector: string | undefined,
    names: NewKeyNames,
    targets?: RotationTargets,
  ): Promise<Rotation> {
    this.#assertThere();
    this.#assertDocument();
    const which = selector === undefined ? this.#replaceable() : this.#indexes([selector]);
    const old = which.map((i) => this.#entries[i]!);
    assertReplaceable(old, this.shown);
    const first = old[0]!;
    const secret = first.secretKey === undefined ? undefined : Buffer.from(first.secretKey, 'base64');
    const locked = old.some(({ privateKey = '' }) => isLocked(privateKey));
    const key: NewKey = {
      namespace: first.namespace,
      ...names,
      ...(secret !== undefined && { aes: (secret.length * 8) as 128 | 192 | 256 }),
      ...(old.some(({ always }) => always === true) && { always: true }),
      ...(!locked && { lock: false }),
    };
    const added = await this.#made(key, { base: edit.baseOf(first.name) });
    const after = edit.retire([...this.#entries, added], which, this.shown);
    if (targets !== undefined)
      await targets.confirm(await publicationOf(after, this, targets.options, this.settings));
    // One write: the new key is never in use without its private half being kept.
    await this.#write(after);
    return { added: describe(added), retired: which.map((i) => describe(after[i]!)) };
  }

  #replaceable(): number[] {
    return this.#entries.flatMap((entry, i) =>
      entry.state === 'active' && entry.always !== true && isOpener(entry) ? [i] : [],
    );
  }

  #indexes(selectors: readonly string[]): number[] {
    return [...new Set(selectors.map((selector) => edit.indexOf(this.#entries, selector, this.shown)))];
  }

  async #write(entries: KeySetEntry[]): Promise<void> {
    const document = serialize(entries);
    // What could not be read again is not written.
    parseKeySet(document, this.shown);
    assertEachOnce(entries, this.shown);
    if (this.kind === 'parameter') assertPublicOnly(entries, this.shown);
    const isPrivate = entries.some(isOpener);
    if (isPrivate && !this.#entries.some(isOpener)) await this.#assertUnpublished();
    const { version } = await this.value.write(document, {
      replaces: this.#version,
      isPrivate,
      ...(this.#version === undefined && { description: 'sealdrop key set' }),
    });
    this.#entries = entries;
    this.#version = version;
    if (isPrivate) this.#exposed = false;
  }

  /** Whoever encrypts reads it. */
  async #assertUnpublished(): Promise<void> {
    const about = await this.value.about?.();
    const hint =
      'make the key in the set that the private halves are in, and publish it: sealdrop keys publish';
    if (isPublished(about))
      throw new SealdropError(
        'usage',
        `${this.shown} is what those who encrypt read: no private half goes there`,
        { hint },
      );
    if (this.kind !== 'secret' || !this.exists || isForPrivate(about)) return;
    throw new SealdropError('usage', `${this.shown} has public halves alone: those who encrypt may read it`, {
      hint: `${hint}; a secret that only those read who decrypt is told by its tag sealdrop:content=private-key-set`,
    });
  }

  #assertThere(): void {
    if (this.exists) return;
    if (this.kind === 'file')
      throw new SealdropError('key_file_not_found', `there is no key set ${this.shown}`, {
        hint: 'make one with its first key: sealdrop keys add, or sealdrop keys import',
      });
    throw new SealdropError('secret_missing', `${this.shown} does not exist, or has no value`, {
      hint: 'check its name, --region and --profile',
    });
  }

  #assertDocument(): void {
    if (!this.#bare) return;
    throw new SealdropError('usage', `${this.shown} is a single key, and no key set that could be changed`, {
      hint: 'make a key set of it: sealdrop keys import FILE --key-set NEW.json',
    });
  }

  close(): void {
    this.value.close();
  }
}

/** Whether it can open what was encrypted to it. */
const isOpener = ({ privateKey, secretKey }: KeySetEntry): boolean =>
  privateKey !== undefined || secretKey !== undefined;

function assertPublicOnly(entries: readonly KeySetEntry[], shown: string): void {
  if (!entries.some(isOpener)) return;
  throw new SealdropError('private_key_in_public_key_set', `${shown} is for public halves alone`, {
    hint: 'keep the set with private halves in a file or in secretsmanager:NAME, and publish it: sealdrop keys publish --name ssm:NAME',
  });
}

function assertReplaceable(old: readonly KeySetEntry[], shown: string): void {
  const kms = old.find((entry) => kindOf(entry) === 'kms');
  if (kms !== undefined)
    throw new SealdropError('usage', `${printable(kms.name)} is rotated by AWS KMS itself`, {
      hint: 'aws kms enable-key-rotation; to take another key: sealdrop keys import kms:ARN, then sealdrop keys retire',
    });
  if (old.length === 0 || old.some((entry) => !isOpener(entry)))
    throw new SealdropError('usage', `${shown} has no active private key to replace`, {
      hint: 'rotate where the private halves are, and publish the public ones from there (--name)',
    });
  if (new Set(old.map(kindOf)).size > 1)
    throw new SealdropError(
      'usage',
      `${shown} has active keys of RSA and of AES: one takes the place of one`,
      {
        hint: `name the key to replace: ${old.map(({ namespace, name }) => printable(`${namespace}/${name}`)).join(', ')}`,
      },
    );
  if (old.some(({ state }) => state === 'retired'))
    throw new SealdropError('usage', 'the key is retired already', {
      hint: 'make another: sealdrop keys add',
    });
}

function isSame(entry: KeySetEntry, key: ForeignKey): boolean {
  if (key.kmsArn !== undefined) return kindOf(entry) === 'kms' && entry.name === key.kmsArn;
  if (key.secretKey !== undefined) return entry.secretKey === key.secretKey.toString('base64');
  return describe(entry).fingerprint === fingerprintOf(key.publicKey!) && kindOf(entry) === 'rsa';
}

/** A key may be wanted a second time, under the name that older objects have for it; a set says which that is. */
function isMeant(entry: KeySetEntry, { entry: from }: ForeignKey, options: ImportOptions): boolean {
  const { name = from?.name, namespace = from?.namespace } = options;
  return (name ?? entry.name) === entry.name && (namespace ?? entry.namespace) === entry.namespace;
}

function stateOf({ entry }: ForeignKey, { always, retired }: ImportOptions) {
  const state = retired === true ? ('retired' as const) : (entry?.state ?? 'active');
  const isAlways = state === 'active' && (always === true || entry?.always === true);
  return {
    // When a key was made that comes without a date, nobody knows.
    ...(entry?.created !== undefined && { created: entry.created }),
    state,
    ...(isAlways && { always: true as const }),
  };
}

function now(): { date: string; created: string } {
  const created = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  return { date: created.slice(0, 10), created };
}
