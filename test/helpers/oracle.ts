/** AWS's own client for Node: what it writes we read, and what we write it reads. */
import { Readable } from 'node:stream';
import { buildClient, CommitmentPolicy } from '@aws-crypto/client-node';
import { RawRsaKeyringNode } from '@aws-crypto/raw-rsa-keyring-node';
import type { OaepHash } from '../../src/ports.js';
import { NAMES, privatePem, publicPem, type Pair } from './keys.js';

export interface OracleOptions {
  suiteId?: number;
  frameLength?: number;
  encryptionContext?: Record<string, string>;
}

const clientFor = (suiteId: number) =>
  buildClient(
    suiteId < 0x0400
      ? CommitmentPolicy.FORBID_ENCRYPT_ALLOW_DECRYPT
      : CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT,
  );

const keyringOf = (pair: Pair, oaepHash: OaepHash = 'sha256', keyName: string = NAMES.name) =>
  new RawRsaKeyringNode({
    keyNamespace: NAMES.namespace,
    keyName,
    rsaKey: { publicKey: publicPem(pair), privateKey: privatePem(pair) },
    oaepHash,
  });

export async function oracleEncrypt(
  pair: Pair,
  plaintext: Uint8Array,
  { suiteId = 0x0478, ...options }: OracleOptions = {},
  oaepHash?: OaepHash,
): Promise<Buffer> {
  const { result } = await clientFor(suiteId).encrypt(keyringOf(pair, oaepHash), plaintext, {
    suiteId,
    ...options,
  });
  return result;
}

/** By its stream, as a ByteSource. */
export function oracleEncryptStream(
  pair: Pair,
  plaintext: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  { suiteId = 0x0478, ...options }: OracleOptions = {},
): AsyncIterable<Uint8Array> {
  const sealing = clientFor(suiteId).encryptStream(keyringOf(pair), { suiteId, ...options });
  return Readable.from(plaintext).pipe(sealing);
}

export async function oracleDecrypt(
  pair: Pair,
  message: Uint8Array,
  oaepHash?: OaepHash,
  name?: string,
): Promise<{ plaintext: Buffer; context: Readonly<Record<string, string>> }> {
  // Allows every suite.
  const client = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_ALLOW_DECRYPT);
  const { plaintext, messageHeader } = await client.decrypt(keyringOf(pair, oaepHash, name), message);
  return { plaintext, context: messageHeader.encryptionContext };
}
