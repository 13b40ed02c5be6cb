/** The programs of the ABCI Cloud Storage guide (docs.abci.ai, "Data Encryption"), as printed there. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const PROGRAMS = {
  'Upload_By_CSE.py': {
    sha256: 'fa50b117ab873098e41e84c9955f4866737307e0a561f557565485f8262ed8e5',
    constants: ['BUCKET_NAME', 'UPLOAD_KEY', 'LOCAL_FILE'],
  },
  'Download_By_CSE.py': {
    sha256: '3650882cc618d5d06f5893a7322317981560bef6ea01fb3b122b1409cb5d0e23',
    constants: ['BUCKET_NAME', 'DOWNLOAD_KEY', 'DOWNLOAD_FILE'],
  },
} as const;
const EVERYWHERE = ['ENDPOINT_URL', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] as const;

export type Program = keyof typeof PROGRAMS;
export const GUIDE_PROGRAMS = Object.keys(PROGRAMS) as Program[];

/** How the guide has its readers make their keys: `private_key.pem` and `public_key.pem` here. */
export const GUIDE_KEY_COMMANDS = [
  'openssl genpkey -algorithm RSA -out private_key.pem -pkeyopt rsa_keygen_bits:4096',
  'openssl rsa -pubout -in private_key.pem -out public_key.pem',
];

export function guideProgram(name: Program): string {
  const bytes = readFileSync(fileURLToPath(new URL(`../../test/interop/abci/${name}`, import.meta.url)));
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found !== PROGRAMS[name].sha256) throw new Error(`${name} is not as the guide prints it any more`);
  return bytes.toString('utf8');
}

export function constantsOf(name: Program): string[] {
  return [...PROGRAMS[name].constants, ...EVERYWHERE];
}

/** The program with the values that the guide tells its readers to set, and with nothing else changed. */
export function filledProgram(name: Program, values: Readonly<Record<string, string>>): string {
  const original = guideProgram(name);
  const constants = constantsOf(name);
  const unfit = [...Object.keys(values), ...constants].filter(
    (c) => !constants.includes(c) || values[c] === undefined,
  );
  if (unfit.length > 0) throw new Error(`${name}: no constant, or without a value: ${unfit.join(', ')}`);
  const filled = constants.reduce(
    (text, constant) => setConstant(text, constant, values[constant]!),
    original,
  );
  const back = constants.reduce(
    (text, constant) => setConstant(text, constant, valueIn(original, constant)),
    filled,
  );
  if (back !== original) throw new Error(`${name}: more than its constants was changed`);
  return filled;
}

function assignment(text: string, constant: string): { at: number; value: string } {
  const found = [...text.matchAll(new RegExp(`^( {4}${constant} = )"([^"\\n]*)"`, 'gm'))];
  if (found.length !== 1) throw new Error(`${constant} is set ${found.length} times`);
  const [{ index, 1: before, 2: value }] = found as [RegExpExecArray];
  return { at: index + before!.length + 1, value: value! };
}

const valueIn = (text: string, constant: string) => assignment(text, constant).value;

function setConstant(text: string, constant: string, to: string): string {
  if (/["\\\n]/.test(to)) throw new Error(`${constant} cannot be set to ${to}`);
  const { at, value } = assignment(text, constant);
  return text.slice(0, at) + to + text.slice(at + value.length);
}
