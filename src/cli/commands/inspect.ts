import { Command } from 'commander';
import { parseAddress } from '../../address.js';
import { SealdropError } from '../../errors.js';
import type { Inspector, MessageInfo, ObjectInfo, SizeEstimate } from '../../ports.js';
import { printable } from '../../printable.js';
import { withPlainHint } from '../../transfer/get.js';
import { findInstruction } from '../../transfer/instruction-file.js';
import { partsOf } from '../../transfer/object-parts.js';
import { readMetadata, type ObjectFacts } from '../../transfer/metadata.js';
import { forEach, openOutput, type Environment } from '../command.js';
import * as shared from '../options.js';
import { formatBytes } from '../output.js';

interface InspectOptions extends shared.StoreOptions, shared.OutputOptions {}

const EXAMPLES = `
Examples:
  sealdrop inspect s3://lab/2026/results.csv --endpoint-url https://s3.v3.abci.ai
  sealdrop inspect notes.encrypted --json

Needs no key. Nothing that it shows is proven: anybody can write such a header.`;

export function inspectCommand(environment: Environment): Command {
  const command = new Command('inspect')
    .description('tell what an object is, without any key')
    .argument(
      '<object...>',
      's3://bucket/key, file:///directory/key, message files, or - for standard input',
    );
  return shared
    .outputOptions(shared.storeOptions(command))
    .addHelpText('after', EXAMPLES)
    .action(async (names: string[], options: InspectOptions) => {
      const output = openOutput(environment, options);
      const inspector = await environment.parts.openInspector();
      await forEach(names, environment, output, async (name) => {
        const found = await look(name, inspector, options, environment);
        if (output.json) output.document(asDocument(name, found));
        else output.data(asText(name, found));
      });
    });
}

interface Found {
  info: MessageInfo;
  key?: string;
  object?: ObjectInfo;
  plaintext?: SizeEstimate;
  facts: ObjectFacts;
}

async function look(
  name: string,
  inspector: Inspector,
  options: InspectOptions,
  { parts, signal }: Environment,
): Promise<Found> {
  if (parseAddress(name).kind === 'stdio')
    return { info: await inspector.inspect(process.stdin), facts: { fingerprints: [] } };
  const { store, key } = await parts.openVault(name, 'read', shared.storeSettings(options));
  try {
    if (key === '' || key.endsWith('/'))
      throw new SealdropError('usage', `${printable(name)} names no object`, {
        hint: 'see what there is: sealdrop ls',
      });
    const { info: object, body } = await store.get(key, { signal });
    const info = await inspector.inspect(body, partsOf(store, object, signal)).catch((error: unknown) => {
      throw withPlainHint(error, object);
    });
    body.destroy();
    const plaintext = inspector.plaintextSize(info, object.size);
    // Where the wrapped key lies in a file, so does what says whose it is.
    const file =
      info.wrapping?.at === 'instruction-file' ? await findInstruction(store, key, signal) : undefined;
    const { fingerprints } = readMetadata((file?.info ?? object).metadata);
    return { info, key, object, plaintext, facts: { ...readMetadata(object.metadata), fingerprints } };
  } finally {
    store.close();
  }
}

/** A matter of form, not of proof: the header names the key it was made for, or the metadata our format. */
function origin({ info, key, facts }: Found): 'sealdrop' | 'foreign' | 'sealdrop, for another key' {
  if (info.format === 's3ec') return facts.format === undefined ? 'foreign' : 'sealdrop';
  const made = info.context['sealdrop:key'];
  if (made === undefined) return 'foreign';
  return key === undefined || made === key ? 'sealdrop' : 'sealdrop, for another key';
}

function asDocument(name: string, found: Found): object {
  const { info, object, plaintext, facts } = found;
  return {
    name,
    ...info,
    origin: origin(found),
    size: object?.size,
    plaintextSize: plaintext?.bytes,
    plaintextSizeExact: plaintext?.exact,
    metadata: object === undefined ? undefined : { ...facts },
    modified: object?.modified.toISOString(),
    etag: object?.etag,
  };
}

const KINDS = {
  esdk: 'AWS Encryption SDK message',
  s3ec: 'S3 Encryption Client object',
  plain: 'not encrypted by us',
};
const PLACES = { metadata: "object's metadata", 'instruction-file': 'instruction file' };

const pairs = (label: string, of: Readonly<Record<string, string>>): [string, string][] =>
  Object.entries(of).map(([name, value]) => [label, printable(`${name} = ${value}`)]);

function asText(name: string, found: Found): string {
  const { info, object, plaintext, facts } = found;
  const rows: [string, string][] = [
    ['format', `${info.format} (${KINDS[info.format]}, version ${info.version})`],
    ['origin', origin(found)],
    ['suite', `${info.suiteId} ${info.suite}`],
    ['committing', info.committing ? 'yes' : 'no'],
    ['signed', info.signed ? 'yes' : 'no'],
    ...(info.format === 'esdk'
      ? [
          ['frame length', info.frameLength === 0 ? 'unframed' : formatBytes(info.frameLength)] as [
            string,
            string,
          ],
        ]
      : []),
    ...(info.wrapping === undefined
      ? []
      : [
          ['wrapped by', `${info.wrapping.algorithm}, in the ${PLACES[info.wrapping.at]}`] as [
            string,
            string,
          ],
        ]),
    ...info.wrappedKeys.map((key): [string, string] => [
      'wrapped to',
      printable(`${key.namespace}/${key.name}`),
    ]),
    ...facts.fingerprints.map((f): [string, string] => ['fingerprint', `${f} (the metadata says so)`]),
    ...pairs('context', info.context),
    ...pairs('description', info.description ?? {}),
  ];
  if (object && plaintext) {
    rows.push(['stored', `${object.size} bytes, ${object.modified.toISOString()}`]);
    rows.push(['plaintext', `${plaintext.exact ? '' : 'at most '}${plaintext.bytes} bytes`]);
  }
  return [printable(name), ...rows.map(([label, value]) => `  ${label.padEnd(13)} ${value}`)].join('\n');
}
