import { pathToFileURL } from 'node:url';

/** @param job `library`: the built library */
export async function open({ library, keys }) {
  const { openEncryptor, openDecryptor } = await import(pathToFileURL(library).href);
  const encryptor = await openEncryptor({ publicKeys: [keys.public] });
  const decryptor = await openDecryptor({ privateKeys: [keys.private] });
  return {
    encrypt: (source) => encryptor.encrypt(asynchronous(source), {}, { transient: true }),
    decrypt: (source) => decryptor.decrypt(asynchronous(source), { transient: true }),
    async consume(pieces, take) {
      for await (const piece of pieces) take(piece);
    },
  };
}

async function* asynchronous(source) {
  yield* source;
}
