/**
 * Keys of signed suites between the forms that the AWS Encryption SDK has them in: points, compressed points, PEM. The
 * build puts this in the place of three of the SDK's own modules, which load two libraries for large numbers and one for
 * ASN.1 wherever anything is encrypted, signed or not; OpenSSL knows these curves.
 *
 * Source: @aws-crypto/material-management, ecc_decode.ts, ecc_encode.ts, pem_helpers.ts; SEC 1, section 2.3; RFC 5915; RFC 5480.
 */
import { ECDH } from 'node:crypto';

type Curve = 'prime256v1' | 'secp384r1';

const CURVES: Readonly<Record<Curve, { readonly oid: readonly number[]; readonly bytes: number }>> = {
  prime256v1: { oid: [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07], bytes: 32 },
  secp384r1: { oid: [0x2b, 0x81, 0x04, 0x00, 0x22], bytes: 48 },
};
const EC_PUBLIC_KEY = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];

type ToPoint = (point: Uint8Array) => Uint8Array;

/** From 0x04, x, y to 0x02 or 0x03, x. */
export const encodeNamedCurves: Readonly<Record<Curve, ToPoint>> = {
  prime256v1: encoder('prime256v1'),
  secp384r1: encoder('secp384r1'),
};

/** From 0x02 or 0x03, x to 0x04, x, y. What is no point of the curve throws. */
export const decodeNamedCurves: Readonly<Record<Curve, ToPoint>> = {
  prime256v1: decoder('prime256v1'),
  secp384r1: decoder('secp384r1'),
};

function encoder(curve: Curve): ToPoint {
  const { bytes } = CURVES[curve];
  return (point) => {
    if (point.byteLength !== 1 + 2 * bytes) throw new Error('Malformed public key.');
    const isOdd = point[2 * bytes]! & 1;
    return Uint8Array.of(2 + isOdd, ...point.subarray(1, 1 + bytes));
  };
}

function decoder(curve: Curve): ToPoint {
  const { bytes } = CURVES[curve];
  return (compressed) => {
    if (compressed.byteLength !== 1 + bytes) throw new Error('Compressed point length is not correct.');
    return new Uint8Array(ECDH.convertKey(compressed, curve, undefined, undefined, 'uncompressed') as Buffer);
  };
}

/** SubjectPublicKeyInfo. */
export function publicKeyPem(curve: Curve, point: Uint8Array): string {
  const algorithm = der(SEQUENCE, der(OID, EC_PUBLIC_KEY), der(OID, CURVES[curve].oid));
  return pem('PUBLIC KEY', der(SEQUENCE, algorithm, der(BIT_STRING, [0], point)));
}

/** ECPrivateKey. */
export function privateKeyPem(curve: Curve, privateKey: Uint8Array, point: Uint8Array): string {
  const parts = [
    der(INTEGER, [1]),
    der(OCTET_STRING, privateKey),
    der(EXPLICIT, der(OID, CURVES[curve].oid)),
    der(EXPLICIT + 1, der(BIT_STRING, [0], point)),
  ];
  return pem('EC PRIVATE KEY', der(SEQUENCE, ...parts));
}

const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const OID = 0x06;
const SEQUENCE = 0x30;
const EXPLICIT = 0xa0;

/** Of at most 127 bytes, which is more than keys of these curves have. */
function der(tag: number, ...parts: readonly ArrayLike<number>[]): Buffer {
  const content = Buffer.concat(parts.map((part) => Buffer.from(part)));
  if (content.length > 127) throw new Error('Malformed key.');
  return Buffer.concat([Buffer.of(tag, content.length), content]);
}

const pem = (label: string, bytes: Buffer): string =>
  [
    `-----BEGIN ${label}-----`,
    ...bytes.toString('base64').match(/.{1,64}/g)!,
    `-----END ${label}-----`,
    '',
  ].join('\n');
