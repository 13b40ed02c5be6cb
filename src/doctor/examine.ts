/** The examination of a store, in order: what doesn't work makes what needs it not worth trying. */
import { isSealdropError } from '../errors.js';
import type { ObjectStore } from '../ports.js';
import type { RawStore } from '../raw-store.js';
import type { StoreTraits } from '../store-traits.js';
import { checkAccess, checkVersions } from './access.js';
import { checkChecksums } from './checksums.js';
import { checkConditions } from './conditions.js';
import { checkEncryption } from './encryption.js';
import { broken, warning, type Finding, type Found, type Verdict } from './finding.js';
import { checkListing } from './listing.js';
import { checkMultipart } from './multipart.js';
import { checkCertificate, checkName } from './network.js';
import {
  checkAbsent,
  checkCopy,
  checkDelete,
  checkEtag,
  checkKeys,
  checkMetadata,
  checkRanges,
  checkSmall,
} from './objects.js';
import { leastPart, rehearse } from './rehearsal.js';
import { Scratch } from './scratch.js';

export interface Subject {
  readonly raw: RawStore;
  /** In front of all keys that are made: empty, or with a slash at its end. */
  readonly prefix: string;
  /** The store as commands use it, with traits besides those that are set. */
  openStore(traits: StoreTraits): Promise<ObjectStore>;
  readonly signal: AbortSignal;
  /** Called with each finding as it is made. */
  onFinding(finding: Finding): void;
}

/**
 * Whatever is made for it is removed again, also after an interruption.
 * @returns the settings that follow
 * @throws SealdropError `interrupted`
 */
export async function examine(subject: Subject): Promise<StoreTraits> {
  const { raw, signal } = subject;
  const settings: StoreTraits = {};
  const say = (check: string, found: Found) => {
    if (found.verdict === 'setting') Object.assign(settings, found.settings);
    subject.onFinding({ check, ...found });
    return found.verdict;
  };
  const run = async (check: string, examined: () => Promise<Found | Found[]>) =>
    worst([await found(examined)].flat().map((each) => say(check, each)));
  const named = await run('name', () => checkName(raw));
  if (named === 'broken' || named === 'setting') return settings;
  if ((await run('certificate', () => checkCertificate(raw))) === 'broken') return settings;
  const access = await found(async () => {
    const { findings, usable } = await checkAccess(raw, signal);
    for (const { check, ...each } of findings) say(check, each);
    return usable ? [] : [broken('')];
  });
  if (!Array.isArray(access)) say('store', access);
  if (worst([access].flat().map(({ verdict }) => verdict)) === 'broken') return settings;
  await run('versions', () => checkVersions(raw, signal));
  const scratch = new Scratch(raw, subject.prefix, signal);
  try {
    if ((await run('small', () => checkSmall(scratch))) !== 'broken')
      for (const [check, probe] of PROBES) await run(check, () => probe(scratch));
    await run('rehearsal', () => rehearsal(subject, scratch, settings));
  } finally {
    const left = await scratch.clear();
    if (left.length > 0)
      say(
        'scratch',
        warning(`${left.length} objects may have stayed below ${scratch.prefix}`, 'remove them'),
      );
  }
  return settings;
}

const PROBES: readonly [string, (scratch: Scratch) => Promise<Found | Found[]>][] = [
  ['etag', checkEtag],
  ['checksums', checkChecksums],
  ['metadata', checkMetadata],
  ['ranges', checkRanges],
  ['absent', checkAbsent],
  ['keys', checkKeys],
  ['conditions', checkConditions],
  ['multipart', checkMultipart],
  ['listing', checkListing],
  ['copy', checkCopy],
  ['encryption', checkEncryption],
  ['delete', checkDelete],
];

async function found(examined: () => Promise<Found | Found[]>): Promise<Found | Found[]> {
  try {
    return await examined();
  } catch (error) {
    if (!isSealdropError(error) || error.code === 'interrupted') throw error;
    return broken(error.message, error.hint);
  }
}

async function rehearsal(subject: Subject, scratch: Scratch, settings: StoreTraits): Promise<Found[]> {
  const store = await subject.openStore(settings);
  const prefix = `${scratch.prefix}rehearsal/`;
  for (const name of ['small', 'large']) scratch.note(prefix + name);
  const partSize = leastPart({ ...subject.raw.traits, ...settings });
  try {
    return await rehearse(store, prefix, { partSize, signal: subject.signal });
  } finally {
    store.close();
  }
}

const ORDER: readonly Verdict[] = ['ok', 'note', 'warning', 'setting', 'broken'];

export const worst = (verdicts: readonly Verdict[]): Verdict =>
  verdicts.reduce<Verdict>((a, b) => (ORDER.indexOf(b) > ORDER.indexOf(a) ? b : a), 'ok');
