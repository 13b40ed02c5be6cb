/** Bearer tokens of the local server, each with the prefix of keys that it stands for. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { SealdropError } from '../../errors.js';
import { printable } from '../../printable.js';
import { prefixProblem, unauthorized, type Principal } from '../api/principal.js';

/** RFC 6750, b64token. */
const TOKEN = /^[\w.~+/-]+=*$/;
/** 128 bits, in the shortest form in which they are usual. */
const MIN_TOKEN_LENGTH = 22;

export interface Tokens {
  /** @throws SealdropError `unauthorized` */
  authenticate(authorization: string | undefined): Principal;
}

/**
 * @param text lines `PREFIX/ TOKEN`; empty lines and lines that begin with # are left out
 * @param where what messages call it; they never show what stands in it
 * @throws SealdropError `usage`
 */
export function readTokens(text: string, where: string): Tokens {
  const entries = text.split(/\r?\n/).flatMap((line, i) => {
    if (line.trim() === '' || line.startsWith('#')) return [];
    return [readLine(line, `${printable(where)}, line ${i + 1}`)];
  });
  if (entries.length === 0) throw tokenError(`${printable(where)} has no token`);
  const digests = new Set(entries.map(({ digest }) => digest.toString('hex')));
  if (digests.size < entries.length) throw tokenError(`${printable(where)} has one token twice`);
  return {
    authenticate(authorization = '') {
      const token = /^bearer +(\S+) *$/i.exec(authorization)?.[1];
      if (token === undefined) throw unauthorized();
      const digest = digestOf(token);
      // All of them, so that the time says nothing of which one fits.
      const [found] = entries.filter((entry) => timingSafeEqual(entry.digest, digest));
      if (found === undefined) throw unauthorized();
      return { id: found.prefix, prefix: found.prefix };
    },
  };
}

function readLine(line: string, where: string): { prefix: string; digest: Buffer } {
  const [prefix = '', token, ...more] = line.trim().split(/\s+/);
  if (token === undefined || more.length > 0) throw tokenError(`${where} is not a prefix and a token`);
  // Not shown: whoever mixed the two up has the token there.
  const problem = prefixProblem(prefix);
  if (problem !== undefined) throw tokenError(`${where}: the prefix cannot be one: ${problem}`);
  if (!TOKEN.test(token)) throw tokenError(`${where}: the token has a character that tokens cannot have`);
  if (token.length < MIN_TOKEN_LENGTH)
    throw tokenError(`${where}: the token is shorter than ${MIN_TOKEN_LENGTH} characters`);
  return { prefix, digest: digestOf(token) };
}

export const digestOf = (token: string): Buffer => createHash('sha256').update(token).digest();

function tokenError(message: string): SealdropError {
  return new SealdropError('usage', message, {
    hint: 'a line is PREFIX/ TOKEN, such as lab/ and what this prints: openssl rand -base64 32',
  });
}
