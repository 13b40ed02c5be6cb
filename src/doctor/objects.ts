/** Small objects: whether they come back as they were sent, with what was said of them. */
import { createHash } from 'node:crypto';
import { modeOf } from './checksums.js';
import { broken, note, ok, setting, warning, type Found } from './finding.js';
import { answered, isDone, unquoted, type Scratch } from './scratch.js';

const BODY = Buffer.from('sealdrop looks whether this comes back as it went');
const MD5 = createHash('md5').update(BODY).digest();

export async function checkSmall(scratch: Scratch): Promise<Found> {
  const put = await scratch.send({ method: 'PUT', key: 'small', body: BODY });
  if (!isDone(put)) return broken(`a small object is refused: ${answered(put)}`, permission(put.status));
  const got = await scratch.send({ method: 'GET', key: 'small' });
  if (!isDone(got)) return broken(`it cannot be read: ${answered(got)}`, permission(got.status));
  return got.body.equals(BODY) ? ok('stored and read') : broken('what was read is not what was stored');
}

const permission = (status: number) =>
  status === 403
    ? 'the credentials lack s3:PutObject or s3:GetObject: docs/stores.md, "Permissions"'
    : undefined;

/** Whether an ETag is what uploads can be checked by: over https, where no other check is chosen, they are by it. */
export async function checkEtag(scratch: Scratch): Promise<Found> {
  const { raw } = scratch;
  const put = await scratch.send({ method: 'PUT', key: 'etag', body: BODY });
  const etag = unquoted(put.headers.etag);
  if (etag === '') return broken('the store gives no ETag', 'it is no S3: check --endpoint-url');
  const head = await scratch.send({ method: 'HEAD', key: 'etag' });
  if (isDone(head) && unquoted(head.headers.etag) !== etag)
    return warning('an object has another ETag when it is looked at', 'conditional writes are not safe');
  if (etag.toLowerCase() === MD5.toString('hex')) return ok('an ETag is the MD5');
  if (!/^[0-9a-f]{32}$/i.test(etag))
    return note("an ETag is no MD5: the store's own check of what arrives counts");
  if (put.headers['x-amz-server-side-encryption']?.startsWith('aws:') === true)
    return note('aws:kms hides the MD5 that an ETag would be: uploads are checked in other ways');
  const text = 'an ETag looks like an MD5 and is none';
  return modeOf(raw) === 'md5'
    ? setting(text, { checksum: 'signature' }, raw.traits)
    : note(`${text}: nothing relies on it`);
}

export async function checkMetadata(scratch: Scratch): Promise<Found[]> {
  const wanted = {
    'x-amz-meta-sealdrop-note': 'a%20b%C3%A9+c=~',
    'x-amz-meta-sealdrop-long': 'x'.repeat(1500),
  };
  const put = await scratch.send({ method: 'PUT', key: 'metadata', body: BODY, headers: wanted });
  if (!isDone(put)) return [broken(`metadata is refused: ${answered(put)}`)];
  const { headers } = await scratch.send({ method: 'HEAD', key: 'metadata' });
  const lost = Object.entries(wanted).filter(([name, value]) => headers[name] !== value);
  const kept =
    lost.length === 0
      ? ok('kept as it is, 1.5 KB of it')
      : warning(
          lost.every(([name]) => headers[name] === undefined) ? 'metadata is dropped' : 'metadata is changed',
          'objects open all the same; a repeated write is not known again, and plaintext sizes are computed',
        );
  return [kept, await otherLetters(scratch)];
}

async function otherLetters(scratch: Scratch): Promise<Found> {
  const value = 'é日本';
  const name = 'x-amz-meta-other';
  const put = await scratch.send({ method: 'PUT', key: 'letters', body: BODY, headers: { [name]: value } });
  const ours = 'sealdrop writes its own in ASCII';
  if (!isDone(put)) return note(`metadata beyond ASCII is refused (${answered(put)}): ${ours}`);
  const { headers } = await scratch.send({ method: 'HEAD', key: 'letters' });
  const back = headers[name] ?? '';
  if (Buffer.from(back, 'latin1').toString() === value) return ok('metadata beyond ASCII comes back');
  const how = /^=\?/.test(back) ? 'comes back in the form of RFC 2047' : 'does not come back as it was';
  return note(`metadata beyond ASCII ${how}: ${ours}`);
}

export async function checkRanges(scratch: Scratch): Promise<Found> {
  const got = await scratch.send({ method: 'GET', key: 'small', headers: { range: 'bytes=9-13' } });
  if (got.status === 206 && got.body.equals(BODY.subarray(9, 14))) return ok('served');
  return warning(
    `ranges are ignored (${answered(got)})`,
    'a download that breaks off has to begin again: run it again where it fails',
  );
}

/** The key of what is not there: 404 says so, 403 says nothing. */
export async function checkAbsent(scratch: Scratch): Promise<Found> {
  const head = await scratch.send({ method: 'HEAD', key: 'absent' });
  if (head.status === 404) return ok('an absent object is answered with 404');
  if (head.status !== 403) return broken(`an absent object is answered with ${head.status}`);
  return warning(
    'an absent object is answered with 403: whether it is there cannot be told',
    'give the credentials s3:ListBucket on the prefix',
  );
}

const ODD = ['a b+c%20&=~', 'quote\'"<&>', '日本/é', '!()*@:,;$'];
/** Two names each that must be two objects. */
const PAIRS: readonly [what: string, one: string, other: string][] = [
  ['case', 'Case', 'case'],
  ['Unicode form', '\u00e9', 'e\u0301'],
  ['encoding', 'a+b', 'a b'],
];
/** Names that sealdrop refuses, because stores keep them under another one. */
const ALIASES: readonly [key: string, as: string][] = [
  ['p//q', 'p/q'],
  ['a/../b', 'b'],
  ['c/./d', 'c/d'],
];

export async function checkKeys(scratch: Scratch): Promise<Found[]> {
  const found: Found[] = [];
  const refused: string[] = [];
  for (const [i, key] of ODD.entries()) {
    const body = Buffer.from(`odd ${i}`);
    const put = await scratch.send({ method: 'PUT', key: `odd/${key}`, body });
    const got = await scratch.send({ method: 'GET', key: `odd/${key}` });
    if (!isDone(put) || !got.body.equals(body)) refused.push(key);
  }
  found.push(
    refused.length === 0
      ? ok('odd ones come back')
      : broken(`not stored, or not as they are: ${refused.join('  ')}`, 'choose other names'),
  );
  for (const [what, one, other] of PAIRS)
    if (await isOne(scratch, `pair/${one}`, `pair/${other}`))
      found.push(
        broken(`names that differ in ${what} alone are one object`, 'one would overwrite the other'),
      );
  const aliased = [];
  for (const [key, as] of ALIASES) if (await isOne(scratch, `alias/${key}`, `alias/${as}`)) aliased.push(key);
  if (aliased.length > 0)
    found.push(note(`kept under another name: ${aliased.join('  ')} (sealdrop refuses such keys)`));
  return found;
}

async function isOne(scratch: Scratch, one: string, other: string): Promise<boolean> {
  const put = await scratch.send({ method: 'PUT', key: one, body: BODY });
  if (!isDone(put)) return false;
  return isDone(await scratch.send({ method: 'HEAD', key: other }));
}

export async function checkCopy(scratch: Scratch): Promise<Found> {
  const source = `/${scratch.raw.bucket}/${scratch.prefix}metadata`;
  const copy = await scratch.send({ method: 'PUT', key: 'copy', headers: { 'x-amz-copy-source': source } });
  if (!isDone(copy)) return note(`the store copies nothing: ${answered(copy)}`);
  const head = await scratch.send({ method: 'HEAD', key: 'copy' });
  const kept = head.headers['x-amz-meta-sealdrop-note'] !== undefined;
  return kept ? ok('copied, with metadata') : note('a copy loses its metadata');
}

export async function checkDelete(scratch: Scratch): Promise<Found[]> {
  const wrong = await scratch.send({ method: 'DELETE', key: 'etag', headers: { 'if-match': '"0"' } });
  const guarded = wrong.status === 412;
  const gone = await scratch.send({ method: 'DELETE', key: 'small' });
  if (!isDone(gone))
    return [warning(`deleting is refused: ${answered(gone)}`, 'what this left has to be removed')];
  const head = await scratch.send({ method: 'HEAD', key: 'small' });
  if (head.status === 200) return [broken('a deleted object is still there')];
  const condition = guarded ? ok('If-Match is kept') : note('If-Match is not kept: delete by version');
  return [ok('deleted'), condition];
}
