/** Objects of every envelope, told apart by themselves: by what lies beside the body, and by how it begins. */
import type {
  ByteSource,
  Decryptor,
  DecryptOptions,
  EnvelopeName,
  Inspector,
  MessageInfo,
  ObjectParts,
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

interface ToldApart {
  readonly envelope: Envelope;
  readonly message: ByteSource;
  readonly parts?: ObjectParts | undefined;
}

/** What the store says decides nothing but which reader judges the object: each has its own policy. */
async function toldApart(source: ByteSource, given: ObjectParts | undefined): Promise<ToldApart> {
  if (given === undefined) return { envelope: 'esdk', message: source };
  const parts = askedOnce(given);
  if (hasMarks(parts.metadata)) return { envelope: 's3ec', message: source, parts };
  // A body of random bytes may begin as a message: then what we have written beside it tells.
  if (saysS3ec(parts.metadata) && (await parts.instruction()) !== undefined)
    return { envelope: 's3ec', message: source, parts };
  const reader = new ByteReader(source);
  const beginning = Buffer.from(await reader.read(LOOKED_AT));
  const message = resumed(beginning, reader);
  if (beginsAsMessage(beginning)) return { envelope: 'esdk', message, parts };
  // V1 and V2 may have all that they say of themselves in an instruction file.
  const isOther = (await parts.instruction()) !== undefined;
  return { envelope: isOther ? 's3ec' : 'esdk', message, parts };
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
