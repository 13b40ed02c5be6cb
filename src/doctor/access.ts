/** Clock, credentials and bucket: what every request needs. */
import type { RawAnswer, RawStore } from '../raw-store.js';
import { broken, note, ok, setting, warning, type Finding, type Found } from './finding.js';
import { answered, isDone, textOf } from './scratch.js';

/** Stores refuse requests whose time is further off than 15 minutes. */
const MAX_SKEW = 15 * 60_000;
const NOTABLE_SKEW = 60_000;

const HINTS: Readonly<Record<string, string>> = {
  InvalidAccessKeyId:
    'the store does not know this access key: check the profile, the environment and the endpoint',
  SignatureDoesNotMatch: 'the secret key does not fit the access key, or the region is wrong: --region',
  ExpiredToken: 'the session has ended: sign in again',
  InvalidToken: 'the session token is not valid: sign in again',
  RequestTimeTooSkewed: 'set the clock of this machine',
  AccessDenied: "the credentials lack s3:ListBucket here, or the bucket is somebody else's",
  NoSuchBucket: 'check the name and the endpoint, or make it: sealdrop bucket create',
  AuthorizationHeaderMalformed: 'the region is wrong: --region',
  PermanentRedirect: 'the bucket is in another region: --region',
};

/** How stores say that a bucket is a host of its own. */
const OWN_HOSTS = /SecondLevelDomainForbidden|VirtualHost/;

/** @returns the findings, and whether there is a bucket to try things in */
export async function checkAccess(
  raw: RawStore,
  signal: AbortSignal,
): Promise<{ findings: Finding[]; usable: boolean }> {
  const before = Date.now();
  const answer = await raw.send({ method: 'GET', query: { 'list-type': '2', 'max-keys': '1' } }, signal);
  const clock = { check: 'clock', ...clockOf(answer, (before + Date.now()) / 2) };
  const code = textOf(answer, 'Code');
  if (isDone(answer)) {
    const credentials = { check: 'credentials', ...ok('accepted') };
    return {
      findings: [clock, credentials, { check: 'bucket', ...ok(`${raw.bucket} is there`) }],
      usable: true,
    };
  }
  // Whoever may write and not list can still use it.
  const denied = answer.status === 403 && (code === 'AccessDenied' || code === undefined);
  const credentials = /KeyId|Signature|Token|Skewed|Malformed|^RequestExpired/.test(code ?? '');
  const text = `the store answers ${answered(answer)}`;
  if (OWN_HOSTS.test(code ?? ''))
    return {
      findings: [clock, { check: 'bucket', ...setting(text, { pathStyle: false }, raw.traits) }],
      usable: false,
    };
  const advice = HINTS[code ?? ''];
  if (credentials)
    return { findings: [clock, { check: 'credentials', ...broken(text, advice) }], usable: false };
  if (denied || answer.status >= 500 || answer.status === 400)
    return {
      findings: [clock, { check: 'bucket', ...warning(`a listing is refused: ${text}`, advice) }],
      usable: true,
    };
  return { findings: [clock, { check: 'bucket', ...broken(text, advice) }], usable: false };
}

function clockOf({ headers }: RawAnswer, here: number): Found {
  const there = Date.parse(headers.date ?? '');
  if (Number.isNaN(there)) return note('the store does not say what time it is');
  const skew = Math.abs(there - here);
  const seconds = Math.round(skew / 1000);
  const text = `this machine's clock and the store's differ by ${seconds} s`;
  if (skew > MAX_SKEW) return broken(`${text}; 15 minutes are allowed`, 'set the clock (NTP), here or there');
  return skew > NOTABLE_SKEW ? warning(text, 'set the clock (NTP), here or there') : ok(text);
}

/** Whether what is overwritten or deleted can be had back. */
export async function checkVersions(raw: RawStore, signal: AbortSignal): Promise<Found> {
  const [versioning, lock] = await Promise.all(
    ['versioning', 'object-lock'].map((name) => raw.send({ method: 'GET', query: { [name]: '' } }, signal)),
  );
  if (isDone(lock!) && textOf(lock!, 'ObjectLockEnabled') === 'Enabled') return ok('object lock is on');
  if (isDone(versioning!) && textOf(versioning!, 'Status') === 'Enabled') return ok('versioning is on');
  if (versioning!.status === 403) return note('the credentials may not ask whether versions are kept');
  return warning(
    'versioning and object lock are off: whoever can write can replace and delete for good',
    'switch versioning on where the store has it: docs/security.md',
  );
}
