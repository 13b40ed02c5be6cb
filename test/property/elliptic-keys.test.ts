/** What stands in bundles for modules of the AWS Encryption SDK makes what they make, and refuses what they refuse. */
import { describe, expect, test } from '@jest/globals';
import { createECDH, createPublicKey, createSign, createVerify } from 'node:crypto';
import { createRequire } from 'node:module';
import fc from 'fast-check';
import * as ours from '../../src/envelope/esdk/elliptic-keys.js';

const require = createRequire(import.meta.url);
const theirs = Object.assign(
  {},
  ...['ecc_encode', 'ecc_decode', 'pem_helpers'].map((name) =>
    require(`@aws-crypto/material-management/build/main/src/${name}`),
  ),
) as typeof ours;

const POINT_BYTES = { prime256v1: 32, secp384r1: 48 } as const;
const CURVES = ['prime256v1', 'secp384r1'] as const;

function keyOf(curve: (typeof CURVES)[number], secret: Uint8Array) {
  const pair = createECDH(curve);
  pair.setPrivateKey(secret);
  return { point: pair.getPublicKey(), compressed: pair.getPublicKey(null, 'compressed') };
}

describe.each(CURVES)('a key of %s', (curve) => {
  const bytes = POINT_BYTES[curve];
  // Below the order of the group, and with zeros at its beginning as one in 256 has them.
  const secrets = fc
    .tuple(fc.uint8Array({ minLength: bytes, maxLength: bytes }), fc.integer({ min: 1, max: 6 }))
    .map(([secret, zeros]) => Uint8Array.from(secret, (byte, i) => (i < zeros ? 0 : byte | 1)));

  test('has the same forms', () => {
    fc.assert(
      fc.property(secrets, (secret) => {
        const { point, compressed } = keyOf(curve, secret);
        expect(ours.encodeNamedCurves[curve](point)).toEqual(new Uint8Array(compressed));
        expect(ours.encodeNamedCurves[curve](point)).toEqual(theirs.encodeNamedCurves[curve](point));
        expect(ours.decodeNamedCurves[curve](compressed)).toEqual(new Uint8Array(point));
        expect(ours.decodeNamedCurves[curve](compressed)).toEqual(
          theirs.decodeNamedCurves[curve](compressed),
        );
        expect(ours.publicKeyPem(curve, point)).toBe(theirs.publicKeyPem(curve, point));
        for (const shortened of [secret, secret.subarray(1)])
          expect(ours.privateKeyPem(curve, shortened, compressed)).toBe(
            theirs.privateKeyPem(curve, Buffer.from(shortened), compressed),
          );
      }),
      // Theirs take their time.
      { numRuns: 20 },
    );
  });

  test('signs, and is what the signature is checked with', () => {
    fc.assert(
      fc.property(secrets, fc.uint8Array(), (secret, content) => {
        const { point, compressed } = keyOf(curve, secret);
        const privateKey = ours.privateKeyPem(curve, secret, compressed);
        const signature = createSign('sha384').update(content).sign(privateKey);
        const publicKey = createPublicKey(ours.publicKeyPem(curve, point));
        expect(createVerify('sha384').update(content).verify(publicKey, signature)).toBe(true);
      }),
    );
  });

  test('is refused at another length', () => {
    const { point, compressed } = keyOf(curve, new Uint8Array(bytes).fill(7));
    for (const { encodeNamedCurves, decodeNamedCurves } of [ours, theirs]) {
      for (const wrong of [compressed, point.subarray(1), Buffer.alloc(0)])
        expect(() => encodeNamedCurves[curve](wrong)).toThrow('Malformed public key.');
      for (const wrong of [point, compressed.subarray(1), Buffer.alloc(0)])
        expect(() => decodeNamedCurves[curve](wrong)).toThrow('Compressed point length is not correct.');
    }
    expect(() => ours.publicKeyPem(curve, Buffer.alloc(200))).toThrow('Malformed key.');
  });

  test('is refused where it is no point', () => {
    const { compressed } = keyOf(curve, new Uint8Array(bytes).fill(7));
    const unknown = Buffer.concat([Buffer.of(5), compressed.subarray(1)]);
    // An x that is no coordinate of any point: about every other is none.
    const x = Buffer.from(compressed);
    while (isPoint(x)) x[bytes]!++;
    for (const wrong of [unknown, x]) expect(() => ours.decodeNamedCurves[curve](wrong)).toThrow();

    function isPoint(candidate: Uint8Array): boolean {
      try {
        ours.decodeNamedCurves[curve](candidate);
        return true;
      } catch {
        return false;
      }
    }
  });
});

test('the curves have the names that suites call them by', () => {
  expect(Object.keys(theirs.encodeNamedCurves)).toEqual(expect.arrayContaining([...CURVES]));
  expect(Object.keys(ours.encodeNamedCurves)).toEqual([...CURVES]);
});
