/** Whether writes are made under a condition, or in spite of it. */
import type { RawAnswer } from '../raw-store.js';
import type { ConditionalWrites } from '../store-traits.js';
import { note, ok, type Found } from './finding.js';
import { answered, isDone, textOf, type Scratch } from './scratch.js';

const KEY = 'condition';
const BODY = Buffer.from('first');
const WRONG = '"00000000000000000000000000000000"';
const STRENGTH: readonly ConditionalWrites[] = ['none', 'absent', 'all'];

/** `unknown`: refused for another reason than that the condition doesn't hold. */
type Kept = 'kept' | 'ignored' | 'unknown' | 'untried';

interface Tries {
  readonly put: Kept;
  /** When an upload in parts is completed. */
  readonly complete: Kept;
}

export async function checkConditions(scratch: Scratch): Promise<Found[]> {
  const first = await scratch.send({ method: 'PUT', key: KEY, body: BODY });
  if (!isDone(first)) return [note(`not tried: ${answered(first)}`)];
  const absent = await tryBoth(scratch, { 'if-none-match': '*' });
  // What must succeed counts too: a store that refuses every condition keeps none.
  const fresh = await scratch.send({
    method: 'PUT',
    key: `${KEY}-fresh`,
    body: BODY,
    headers: { 'if-none-match': '*' },
  });
  const match = await tryBoth(scratch, { 'if-match': WRONG });
  const keptAbsent = isKept(absent) && isDone(fresh);
  const supported: ConditionalWrites = !keptAbsent ? 'none' : isKept(match) ? 'all' : 'absent';
  return [
    ...told('If-None-Match', absent),
    ...told('If-Match', match),
    verdict(scratch, supported, [absent, match]),
  ];
}

const isKept = ({ put, complete }: Tries): boolean =>
  put === 'kept' && (complete === 'kept' || complete === 'untried');

function verdict(scratch: Scratch, supported: ConditionalWrites, tries: readonly Tries[]): Found {
  const { conditionalWrites = 'all' } = scratch.raw.traits;
  if (STRENGTH.indexOf(conditionalWrites) <= STRENGTH.indexOf(supported)) {
    const more = conditionalWrites === supported ? '' : ` (the store keeps more: ${supported})`;
    return ok(`writes rely on: ${conditionalWrites}${more}`);
  }
  const settings = { conditionalWrites: supported };
  const ignored = tries.some(({ put, complete }) => put === 'ignored' || complete === 'ignored');
  if (ignored)
    return {
      verdict: 'setting',
      text: 'conditions on writes are ignored: what seems guarded against other writers is not',
      settings,
    };
  // Refused, so nothing is overwritten; asked for in vain each time.
  return { verdict: 'setting', text: 'the store does not know conditions on writes', settings };
}

function told(header: string, { put, complete }: Tries): Found[] {
  if (put === 'kept' && complete !== 'ignored' && complete !== 'unknown') return [ok(`${header} is kept`)];
  const words = { kept: 'kept', ignored: 'ignored', unknown: 'not known', untried: 'not tried' };
  return [
    note(`${header}: ${words[put]} when an object is put, ${words[complete]} when an upload is completed`),
  ];
}

async function tryBoth(scratch: Scratch, headers: Record<string, string>): Promise<Tries> {
  const put = await scratch.send({ method: 'PUT', key: KEY, body: Buffer.from('second'), headers });
  return { put: keptBy(put), complete: await tryCompletion(scratch, headers) };
}

async function tryCompletion(scratch: Scratch, headers: Record<string, string>): Promise<Kept> {
  const id = await scratch.begin(KEY);
  if (id === undefined) return 'untried';
  const query = { uploadId: id };
  const part = await scratch.send({
    method: 'PUT',
    key: KEY,
    query: { ...query, partNumber: '1' },
    body: BODY,
  });
  if (!isDone(part)) return 'untried';
  const body = completion([part.headers.etag ?? '']);
  return keptBy(await scratch.send({ method: 'POST', key: KEY, query, headers, body }));
}

/** Completions are answered with 200 before they are done, and then with an error in the body. */
function keptBy(answer: RawAnswer): Kept {
  const code = textOf(answer, 'Code');
  if (answer.status === 412 || code === 'PreconditionFailed') return 'kept';
  if (isDone(answer) && code === undefined) return 'ignored';
  return 'unknown';
}

export function completion(etags: readonly string[]): Buffer {
  const parts = etags.map((etag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${etag}</ETag></Part>`);
  return Buffer.from(`<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`);
}
