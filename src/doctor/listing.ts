/** Whether what is there is listed, all of it, by its own name. */
import type { RawAnswer } from '../raw-store.js';
import type { StoreTraits } from '../store-traits.js';
import { broken, note, ok, setting, type Found } from './finding.js';
import { answered, isDone, textOf, textsOf, type Scratch } from './scratch.js';

const NAMES = ['a b+c%20&<', 'e/f', 'e/g', '日本'];

interface Way {
  readonly listVersion: 1 | 2;
  readonly listEncoding: 'url' | 'none';
}

const WAYS: readonly Way[] = [
  { listVersion: 2, listEncoding: 'url' },
  { listVersion: 1, listEncoding: 'url' },
  { listVersion: 2, listEncoding: 'none' },
  { listVersion: 1, listEncoding: 'none' },
];

export async function checkListing(scratch: Scratch): Promise<Found[]> {
  for (const name of NAMES)
    await scratch.send({ method: 'PUT', key: `list/${name}`, body: Buffer.from(name) });
  const problems = new Map<Way, string>();
  let works: Way | undefined;
  for (const way of WAYS) {
    const problem = await tryListing(scratch, way);
    if (problem === undefined && (works = way)) break;
    problems.set(way, problem!);
  }
  if (works === undefined) return [broken(`listing does not work: ${problems.get(WAYS[0]!)}`)];
  const way = works;
  const found = [waySays(way, problems, scratch.raw.traits)];
  return [...found, await checkDelimiter(scratch, way), await checkUploads(scratch)];
}

function waySays(way: Way, problems: ReadonlyMap<Way, string>, has: StoreTraits): Found {
  const usual = problems.get(WAYS[0]!);
  if (usual === undefined) return ok('complete, page by page, with names as they are');
  const settings: StoreTraits = {
    ...(way.listVersion === 1 && { listVersion: 1 as const }),
    ...(way.listEncoding === 'none' && { listEncoding: 'none' as const }),
  };
  const what = way.listVersion === 1 ? 'ListObjectsV2' : 'a listing in URL encoding';
  return setting(`${what} does not work here (${usual})`, settings, has);
}

/** Two names a page. @returns what is wrong */
async function tryListing(scratch: Scratch, way: Way): Promise<string | undefined> {
  const seen: string[] = [];
  let next: Record<string, string> = {};
  for (let pages = 0; pages <= NAMES.length; pages++) {
    const page = await list(scratch, way, { ...next, 'max-keys': '2' });
    if (!isDone(page)) return answered(page);
    if (textOf(page, 'IsTruncated') === undefined) return 'the answer is no listing';
    const keys = textsOf(page.body.toString(), 'Key');
    const names = keys.map((key) => decoded(key, page));
    seen.push(...names);
    if (textOf(page, 'IsTruncated') !== 'true') break;
    const token = way.listVersion === 2 ? textOf(page, 'NextContinuationToken') : names.at(-1);
    if (token === undefined) return 'a page does not say where the next begins';
    next = way.listVersion === 2 ? { 'continuation-token': token } : { marker: token };
  }
  const wanted = NAMES.map((name) => `${scratch.prefix}list/${name}`).sort(byBytes);
  if (seen.length !== wanted.length) return `it says ${seen.length} names where there are ${wanted.length}`;
  return seen.every((name, i) => name === wanted[i]) ? undefined : 'names are not as they were stored';
}

async function list(
  { raw, prefix, signal }: Scratch,
  { listVersion, listEncoding }: Way,
  more: Record<string, string>,
): Promise<RawAnswer> {
  const query = {
    prefix: `${prefix}list/`,
    ...(listVersion === 2 && { 'list-type': '2' }),
    ...(listEncoding === 'url' && { 'encoding-type': 'url' }),
    ...more,
  };
  return raw.send({ method: 'GET', query }, signal);
}

function decoded(key: string, page: RawAnswer): string {
  if (textOf(page, 'EncodingType') !== 'url') return key;
  try {
    return decodeURIComponent(key.replaceAll('+', ' '));
  } catch {
    return key;
  }
}

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

async function checkDelimiter(scratch: Scratch, way: Way): Promise<Found> {
  const page = await list(scratch, way, { delimiter: '/' });
  const below = textsOf(page.body.toString(), 'Prefix').filter((each) => decoded(each, page).endsWith('/e/'));
  return isDone(page) && below.length === 1
    ? ok('folders by delimiter')
    : note('no folders by delimiter: sealdrop does without');
}

async function checkUploads(scratch: Scratch): Promise<Found> {
  const id = await scratch.begin('unfinished/upload');
  if (id === undefined) return note('unfinished uploads: not tried');
  const isListed = async (prefix: string) => {
    const answer = await scratch.raw.send({ method: 'GET', query: { uploads: '', prefix } }, scratch.signal);
    return isDone(answer) && textsOf(answer.body.toString(), 'UploadId').includes(id);
  };
  if (await isListed(`${scratch.prefix}unfinished/`)) return ok('unfinished uploads are listed');
  if (await isListed(`${scratch.prefix}unfinished/upload`))
    return note('unfinished uploads are listed by their whole key alone');
  return note('unfinished uploads are not listed');
}
