/** Objects of every envelope, told apart by themselves: by what lies beside the body, and by how it begins. */
import type {
  ByteSource,
  Decryptor,
  DecryptOptions,
  EnvelopeName,
  Inspector,
  MessageInfo,
  ObjectParts,
  Ranges,
} from '../ports.js';
import { ByteReader } from './byte-reader.js';
import { beginsAsMessage, LOOKED_AT } from './esdk/beginning.js';
import { hasMarks } from './s3ec/header.js';

type Envelope = Exclude<EnvelopeName, 'plain'>;

/** @param of opened when an object first asks for it */
export function createAnyDecryptor(of: Readonly<Record<Envelope, () => Promise<Decryptor>>>): Decryptor {
  return {
    async *decrypt(source: ByteSource, options: DecryptOptions = {}) {
      const { envelope, message, parts } = await toldApart(source, options.parts);
      yield* (await of[envelope]()).decrypt(message, { ...options, parts });
    },
  };
}

export function createAnyInspector(of: Readonly<Record<Envelope, Inspector>>): Inspector {
  return {
    async inspect(source, given) {
      const { envelope, message, parts } = await toldApart(source, given);
      return of[envelope].inspect(message, parts);
    },
    async scan(source, given) {
      const { envelope, message, parts } = await toldApart(source, given);
      return of[envelope].scan(message, parts);
    },
    isBeside: (metadata) => hasMarks(metadata) || saysS3ec(metadata),
    plaintextSize: (info: MessageInfo, size) =>
      of[info.format === 's3ec' ? 's3ec' : 'esdk'].plaintextSize(info, size),
  };
}

/** @param of opened when an object first asks for it */
export function createAnyRanges(of: {
  readonly esdk: () => Promise<Pick<Ranges, 'open'>>;
  readonly s3ec: Ranges['unverified'];
  /** Whatever the object is: nothing else is taken. */
  readonly only?: Envelope | undefined;
}): Ranges {
  return {
    authenticates: async (object) =>
      (of.only ?? (await envelopeOf(() => object.beginning, object))) === 'esdk',
    open: async (object, call) => (await of.esdk()).open(object, call),
    unverified: of.s3ec,
  };
}

interface ToldApart {
  readonly envelope: Envelope;
  readonly message: ByteSource;
  readonly parts?: ObjectParts | undefined;
}

async function toldApart(source: ByteSource, given: ObjectParts | undefined): Promise<ToldApart> {
  if (given === undefined) return { envelope: 'esdk', message: source };
  const parts = askedOnce(given);
  let message = source;
  const envelope = await envelopeOf(async () => {
    const reader = new ByteReader(source);
    const beginning = Buffer.from(await reader.read(LOOKED_AT));
    message = resumed(beginning, reader);
    return beginning;
  }, parts);
  return { envelope, message, parts };
}

/** What the store says decides nothing but which reader judges the object: each has its own policy. */
async function envelopeOf(
  beginningOf: () => Uint8Array | Promise<Uint8Array>,
  parts: ObjectParts,
): Promise<Envelope> {
  const { metadata } = parts;
  if (hasMarks(metadata)) return 's3ec';
  // A body of random bytes may begin as a message: then what we have written beside it tells.
  if (saysS3ec(metadata) && (await parts.instruction()) !== undefined) return 's3ec';
  if (beginsAsMessage(await beginningOf())) return 'esdk';
  // V1 and V2 may have all that they say of themselves in an instruction file.
  return (await parts.instruction()) === undefined ? 'esdk' : 's3ec';
}

const saysS3ec = (metadata: ObjectParts['metadata']): boolean =>
  metadata['sealdrop-format']?.startsWith('s3ec') === true;

function askedOnce(parts: ObjectParts): ObjectParts {
  let asked: Promise<Uint8Array | undefined> | undefined;
  return { ...parts, instruction: () => (asked ??= parts.instruction()) };
}

async function* resumed(beginning: Buffer, reader: ByteReader): AsyncGenerator<Uint8Array> {
  try {
    if (beginning.length > 0) yield beginning;
    yield* reader.rest();
  } finally {
    await reader.close();
  }
}
