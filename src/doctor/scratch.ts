/** A place in the bucket for tries, with a memory of what was left there. */
import { randomBytes } from 'node:crypto';
import type { RawAnswer, RawRequest, RawStore } from '../raw-store.js';

/** For the tidying up, which goes on when the examination was interrupted. */
const CLEANUP_TIME = 60_000;

export class Scratch {
  readonly raw: RawStore;
  readonly prefix: string;
  readonly signal: AbortSignal;
  readonly #keys = new Set<string>();
  readonly #uploads = new Map<string, string>();

  /** @param prefix what its keys begin with: empty, or with a slash at its end */
  constructor(raw: RawStore, prefix: string, signal: AbortSignal) {
    this.raw = raw;
    this.prefix = `${prefix}sealdrop-doctor-${randomBytes(8).toString('hex')}/`;
    this.signal = signal;
  }

  /** Sends a request about a key below the prefix. */
  async send(request: RawRequest & { key: string }): Promise<RawAnswer> {
    const key = this.prefix + request.key;
    const isNew = request.method === 'PUT' && !this.#keys.has(key);
    // Noted before: an answer may get lost.
    if (isNew) this.note(key);
    const answer = await this.raw.send({ ...request, key }, this.signal);
    if (isNew && answer.status >= 400 && answer.status < 500) this.#keys.delete(key);
    return answer;
  }

  /** A whole key to be removed in the end. */
  note(key: string): void {
    this.#keys.add(key);
  }

  /** Begins an upload. Undefined where the store begins none. */
  async begin(key: string): Promise<string | undefined> {
    const whole = this.prefix + key;
    const answer = await this.raw.send({ method: 'POST', key: whole, query: { uploads: '' } }, this.signal);
    const id = textOf(answer, 'UploadId');
    if (answer.status !== 200 || id === undefined) return undefined;
    this.note(whole);
    this.#uploads.set(id, whole);
    return id;
  }

  /** Removes everything. @returns the keys that may have stayed */
  async clear(): Promise<string[]> {
    const signal = AbortSignal.timeout(CLEANUP_TIME);
    const left = new Set<string>();
    const remove = async (key: string, query: Record<string, string> = {}) => {
      const answer = await this.raw.send({ method: 'DELETE', key, query }, signal).catch(() => undefined);
      const refused = answer === undefined || (answer.status >= 300 && answer.status !== 404);
      if (refused && !(await this.#isAbsent(key, signal))) left.add(key);
      // A version that is no more than hidden has stayed.
      if (query.versionId === undefined && answer?.headers['x-amz-delete-marker'] === 'true') left.add(key);
    };
    for (const [uploadId, key] of this.#uploads) await remove(key, { uploadId });
    const versions = await this.#versions(signal);
    for (const { key, versionId } of versions) await remove(key, { versionId });
    // Where versions are kept, removing what is not there makes a marker of its own.
    if (versions.length === 0) for (const key of this.#keys) await remove(key);
    return [...left];
  }

  /** Where nothing may be written, nothing may be removed either: what was refused never lay there. */
  async #isAbsent(key: string, signal: AbortSignal): Promise<boolean> {
    const answer = await this.raw.send({ method: 'HEAD', key }, signal).catch(() => undefined);
    return answer?.status === 404;
  }

  /** All versions below the prefix, where the bucket keeps any: there are fewer than fit on a page. */
  async #versions(signal: AbortSignal): Promise<{ key: string; versionId: string }[]> {
    const query = { versions: '', prefix: this.prefix };
    const answer = await this.raw.send({ method: 'GET', query }, signal).catch(() => undefined);
    if (answer === undefined || !isDone(answer)) return [];
    return [...answer.body.toString().matchAll(/<(Version|DeleteMarker)>(.*?)<\/\1>/gs)].flatMap(
      ([, , entry]) => {
        const [key] = textsOf(entry!, 'Key');
        const [versionId = 'null'] = textsOf(entry!, 'VersionId');
        return key === undefined || versionId === 'null' ? [] : [{ key, versionId }];
      },
    );
  }
}

/** The text of the first element of that name. */
export function textOf({ body }: RawAnswer, element: string): string | undefined {
  return textsOf(body.toString(), element)[0];
}

export function textsOf(xml: string, element: string): string[] {
  return [...xml.matchAll(new RegExp(`<${element}>([^<]*)</${element}>`, 'g'))].map(([, text]) =>
    text!.replace(/&(#x[0-9a-f]+|#\d+|[a-z]+);/gi, (_, name: string) => entity(name)),
  );
}

function entity(name: string): string {
  if (name.startsWith('#x')) return String.fromCodePoint(parseInt(name.slice(2), 16));
  if (name.startsWith('#')) return String.fromCodePoint(Number(name.slice(1)));
  return { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }[name] ?? '';
}

/** `412 PreconditionFailed` */
export function answered(answer: RawAnswer): string {
  const code = textOf(answer, 'Code');
  return code === undefined ? String(answer.status) : `${answer.status} ${code}`;
}

export const isDone = ({ status }: RawAnswer): boolean => status >= 200 && status < 300;

export const unquoted = (etag = ''): string => etag.replace(/^(?:W\/)?"(.*)"$/, '$1');
