/**
 * How long it takes to try a passphrase on an encrypted PKCS#8 key is a number in its own file: a damaged one can ask
 * for days, in which nothing else goes on. (RFC 8018, appendix A; RFC 7914, section 7)
 */
import { SealdropError } from '../errors.js';

/** A hundred times what OWASP recommends of PBKDF2; some seconds. */
const MAX_ITERATIONS = 10_000_000n;
/** N x r x p of scrypt: 128 times OpenSSL's own. */
const MAX_SCRYPT = 2n ** 24n;
const SCRYPT = '2b06010401da47040b';

/** @throws SealdropError `invalid_key` */
export function assertCheap(bytes: Uint8Array, text: string, where: string): void {
  const ders = text.includes('-----BEGIN ') ? encryptedBlocks(text) : [Buffer.from(bytes)];
  for (const der of ders) {
    const found = parametersOf(der);
    if (found === undefined)
      throw new SealdropError('invalid_key', `${where} is damaged: it is not in DER`, {
        hint: 'let openssl write it anew: openssl pkcs8 -topk8 -outform DER',
      });
    const { numbers, oids } = found;
    const total = numbers.reduce((product, number) => product * number, 1n);
    const dear = oids.includes(SCRYPT)
      ? total > MAX_SCRYPT * 64n
      : numbers.some((number) => number > MAX_ITERATIONS);
    if (dear)
      throw new SealdropError('invalid_key', `${where} asks for more work to unlock it than any key does`, {
        hint: 'it is damaged; if not, have openssl pkcs8 -topk8 write it anew',
      });
  }
}

function encryptedBlocks(text: string): Buffer[] {
  const blocks = text.matchAll(/-----BEGIN ENCRYPTED PRIVATE KEY-----([^-]*)/g);
  return [...blocks].map(([, body]) => Buffer.from(body!, 'base64'));
}

interface Parameters {
  readonly numbers: bigint[];
  readonly oids: string[];
}

/**
 * The numbers and identifiers in the first member, the algorithm; none where it is of another form. Undefined where
 * lengths are written as DER never does (X.690, 10.1): OpenSSL reads on there, and would find numbers that this doesn't.
 */
function parametersOf(der: Buffer): Parameters | undefined {
  const found: Parameters = { numbers: [], oids: [] };
  try {
    const outer = elementAt(der, 0);
    if (outer?.tag !== 0x30) return found;
    const algorithm = elementAt(outer.content, 0);
    if (algorithm?.tag === 0x30) collect(algorithm.content, found, 0);
    return found;
  } catch (error) {
    if (error === NOT_DER) return undefined;
    throw error;
  }
}

const NOT_DER = new Error('not DER');

function collect(content: Buffer, found: Parameters, depth: number): void {
  for (let at = 0; at < content.length;) {
    const element = elementAt(content, at);
    if (element === undefined) return;
    if (element.tag === 0x30 && depth < 8) collect(element.content, found, depth + 1);
    if (element.tag === 0x02) found.numbers.push(BigInt(`0x${element.content.toString('hex') || '0'}`));
    if (element.tag === 0x06) found.oids.push(element.content.toString('hex'));
    at = element.end;
  }
}

/** What is cut short is read as far as it goes. */
function elementAt(bytes: Buffer, at: number): { tag: number; content: Buffer; end: number } | undefined {
  const [tag, first] = [bytes[at], bytes[at + 1]];
  if (tag === undefined || first === undefined) return undefined;
  const more = first < 0x80 ? 0 : first & 0x7f;
  if (first === 0x80 || more > 4) throw NOT_DER;
  if (at + 2 + more > bytes.length) return undefined;
  const length = more === 0 ? first & 0x7f : bytes.readUIntBE(at + 2, more);
  const begin = at + 2 + more;
  return { tag, content: bytes.subarray(begin, begin + length), end: begin + length };
}
