/**
 * The CRC32 of bytes whose pieces' CRC32s are known, without the bytes.
 *
 * Source: zlib, crc32.c, `crc32_combine_gen64` and `crc32_combine_op` (products of polynomials modulo the CRC's own).
 */
import { crc32Text } from './integrity.js';

/** Bits are reversed: the highest is x^0. */
const POLYNOMIAL = 0xedb88320;
const ONE = 0x80000000;

interface Piece {
  /** base64 of the four bytes, the highest first. */
  readonly crc32: string | undefined;
  readonly size: number;
}

/** @returns the same form, of all pieces in order */
export function crc32OfAll(pieces: readonly Piece[]): string {
  const shifts = new Map<number, number>();
  let whole = 0;
  for (const { crc32 = '', size } of pieces) {
    // All parts but the last have the same size.
    const shift = shifts.get(size) ?? powerOfX(8 * size);
    shifts.set(size, shift);
    whole = (product(shift, whole) ^ Buffer.from(crc32, 'base64').readUInt32BE(0)) >>> 0;
  }
  return crc32Text(whole);
}

function product(a: number, b: number): number {
  let result = 0;
  for (let bit = ONE; bit !== 0; bit >>>= 1) {
    if ((a & bit) !== 0) result ^= b;
    b = (b & 1) !== 0 ? (b >>> 1) ^ POLYNOMIAL : b >>> 1;
  }
  return result >>> 0;
}

/** x to the power of `exponent`, by squares. */
function powerOfX(exponent: number): number {
  let result = ONE;
  let square = ONE >>> 1;
  for (let left = exponent; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) result = product(square, result);
    square = product(square, square);
  }
  return result;
}
