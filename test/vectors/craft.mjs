/**
 * A writer of AWS Encryption SDK messages with nothing but node:crypto, by the specification's data-format pages: it
 * shares no code with what it tests, and it writes what no well-behaved writer would.
 */
import { constants, createCipheriv, hkdfSync, publicEncrypt, randomBytes } from 'node:crypto';

const u16 = (n) => Buffer.from([n >> 8, n & 255]);
const u32 = (n) => Buffer.from([n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255]);
const u64 = (n) => Buffer.concat([u32(Math.floor(n / 2 ** 32)), u32(n % 2 ** 32)]);
const field = (bytes) => Buffer.concat([u16(Buffer.byteLength(bytes)), Buffer.from(bytes)]);
const ivOf = (n) => Buffer.concat([Buffer.alloc(8), u32(n)]);

/** Suite 0x0478. `pairs` is a list, so that a name can come twice; `recipients` are `{ namespace, name, publicKey }`. */
export function craft({ pairs, recipients, frameLength, contentType = 2, commitment, body }) {
  const dataKey = randomBytes(32);
  const messageId = randomBytes(32);
  const derive = (label) => Buffer.from(hkdfSync('sha512', dataKey, messageId, label, 32));
  const key = derive(Buffer.concat([u16(0x0478), Buffer.from('DERIVEKEY')]));
  const seal = (sequence, aad, content) => {
    const cipher = createCipheriv('aes-256-gcm', key, ivOf(sequence));
    cipher.setAAD(aad);
    const sealed = Buffer.concat([cipher.update(content), cipher.final()]);
    return [sealed, cipher.getAuthTag()];
  };
  const encodedPairs = pairs.map(([k, v]) => Buffer.concat([field(k), field(v)]));
  const context = pairs.length === 0 ? u16(0) : field(Buffer.concat([u16(pairs.length), ...encodedPairs]));
  const wrapped = recipients.map(({ namespace, name, publicKey }) => {
    const padding = constants.RSA_PKCS1_OAEP_PADDING;
    return Buffer.concat([
      field(namespace),
      field(name),
      field(publicEncrypt({ key: publicKey, padding, oaepHash: 'sha256' }, dataKey)),
    ]);
  });
  const header = Buffer.concat([
    Buffer.from([2, 0x04, 0x78]),
    messageId,
    context,
    u16(recipients.length),
    ...wrapped,
    Buffer.from([contentType]),
    u32(frameLength),
    commitment ?? derive(Buffer.from('COMMITKEY')),
  ]);
  const [, headerTag] = seal(0, header, Buffer.alloc(0));
  const aad = (text, sequence, length) =>
    Buffer.concat([messageId, Buffer.from(`AWSKMSEncryptionClient ${text}`), u32(sequence), u64(length)]);
  const writer = {
    frame: (sequence, content) =>
      Buffer.concat([
        u32(sequence),
        ivOf(sequence),
        ...seal(sequence, aad('Frame', sequence, content.length), content),
      ]),
    final: (sequence, content) =>
      Buffer.concat([
        u32(0xffffffff),
        u32(sequence),
        ivOf(sequence),
        u32(content.length),
        ...seal(sequence, aad('Final Frame', sequence, content.length), content),
      ]),
    block: (content, claimed = content.length) =>
      Buffer.concat([ivOf(1), u64(claimed), ...seal(1, aad('Single Block', 1, claimed), content)]),
  };
  return Buffer.concat([header, headerTag, body(writer)]);
}
