// The AWS Encryption SDK for JavaScript, by its streams.
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { buildClient, CommitmentPolicy, RawRsaKeyringNode } from '@aws-crypto/client-node';

/** @param job `suiteId`, `frameLength`: absent, the SDK's own (signed, 4 KiB) */
export async function open({ keys, suiteId, frameLength }) {
  const client = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT);
  const keyring = new RawRsaKeyringNode({
    keyNamespace: 'MyAppKeys',
    keyName: 'S3RSAKey',
    rsaKey: { publicKey: readFileSync(keys.public, 'utf8'), privateKey: readFileSync(keys.private, 'utf8') },
    oaepHash: 'sha256',
  });
  const through = (source, stream) => {
    const reading = Readable.from(source, { objectMode: false });
    reading.once('error', (error) => stream.destroy(error));
    return reading.pipe(stream);
  };
  return {
    encrypt: (source) => through(source, client.encryptStream(keyring, { suiteId, frameLength })),
    decrypt: (source) => through(source, client.decryptStream(keyring)),
    consume: (stream, take) =>
      new Promise((resolve, reject) => stream.on('data', take).once('end', resolve).once('error', reject)),
  };
}
