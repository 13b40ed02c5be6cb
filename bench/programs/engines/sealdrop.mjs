import { pathToFileURL } from 'node:url';

/** @param job `library`: the built library; `threads`: that it may encrypt with */
export async function open({ library, keys, threads }) {
  const { openEncryptor, openDecryptor } = await import(pathToFileURL(library).href);
  const more = threads === undefined ? {} : { threads };
  const encryptor = await openEncryptor({ publicKeys: [keys.public], ...more });
  const decryptor = await openDecryptor({ privateKeys: [keys.private], ...more });
  return {
    encrypt: (source) => encryptor.encrypt(asynchronous(source), {}),
    decrypt: (source) => decryptor.decrypt(asynchronous(source)),
    async consume(pieces, take) {
      for await (const piece of pieces) take(piece);
    },
  };
}

async function* asynchronous(source) {
  yield* source;
}
