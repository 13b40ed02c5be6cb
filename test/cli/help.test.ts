import { beforeAll, describe, expect, test } from '@jest/globals';
import { Box } from '../helpers/cli.js';

const OWN = [
  'init',
  'trust',
  'doctor',
  'keygen',
  'put',
  'get',
  'cat',
  'ls',
  'rm',
  'sync',
  'cp',
  'mv',
  'rewrap',
  'inspect',
  'verify',
  'serve',
];
/** Commands that are made of others. */
const FAMILIES: Record<string, string[]> = {
  keys: [
    'list',
    'show',
    'add',
    'import',
    'export-public',
    'retire',
    'remove',
    'fingerprint',
    'publish',
    'rotate',
  ],
  uploads: ['list', 'abort'],
  bucket: ['create', 'check'],
  dlq: ['list', 'show', 'redrive'],
  backfill: ['start', 'status', 'report'],
};
const MEMBERS = Object.entries(FAMILIES).flatMap(([name, members]) =>
  members.map((each) => `${name} ${each}`),
);
/** `keys` stands beside `keygen`. */
const AT_KEYS = OWN.indexOf('keygen') + 1;
const TOP = [
  ...OWN.slice(0, AT_KEYS),
  ...Object.keys(FAMILIES).slice(0, 1),
  ...OWN.slice(AT_KEYS),
  ...Object.keys(FAMILIES).slice(1),
  'completion',
];
const COMMANDS = [...TOP, ...MEMBERS];
const box = new Box();

const helps = new Map<string, string>();

beforeAll(async () => {
  for (const command of ['', ...COMMANDS]) {
    const { code, stdout, stderr } = await box.run([...command.split(' ').filter(Boolean), '--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    helps.set(command, stdout.toString());
  }
});

const helpOf = (command = '') => helps.get(command)!;

/** The lines of a block such as `Options:`, those that go on with the one before joined to it. */
function entries(help: string, title: string): string[] {
  const block = help.split(`\n${title}:\n`)[1]?.split('\n\n')[0] ?? '';
  return block
    .replace(/\n {4,}/g, ' ')
    .split('\n')
    .filter((line) => line !== '');
}

test('the help of the command lists the commands, each with what it does, and the exit codes', () => {
  const help = helpOf();
  const listed = entries(help, 'Commands').map(
    (line) => /^ {2}(\w+).* {2,}(\S.*)$/.exec(line)?.slice(1) ?? line,
  );
  expect(listed.map(([name]) => name)).toEqual([...TOP, 'help']);
  for (const code of [0, 1, 2, 3, 4, 5, 6, 130]) expect(help).toMatch(new RegExp(`\\b${code} [a-z]`));
});

describe.each(COMMANDS)('the help of %s', (command) => {
  test('has examples that begin with the command', () => {
    const examples = entries(helpOf(command), 'Examples');
    expect(examples.length).toBeGreaterThan(0);
    for (const line of examples) expect(line).toContain(`sealdrop ${command}`);
  });

  test('describes every option and argument', () => {
    const help = helpOf(command);
    const described = [...entries(help, 'Options'), ...entries(help, 'Arguments')];
    for (const line of described) expect(line).toMatch(/^ {2}\S.*? {2,}\S/);
  });

  test('is shown by the command help too', async () => {
    const help = helpOf(command);
    const [first, ...rest] = command.split(' ');
    // The help of a member is its family's to show.
    if (rest.length === 0) expect((await box.run(['help', first!])).stdout.toString()).toBe(help);
  });

  test('fits into 120 columns', () => {
    const tooLong = helpOf(command)
      .split('\n')
      .filter((line) => line.length > 120);
    expect(tooLong).toEqual([]);
  });
});

test.each([...OWN, ...MEMBERS])('%s knows --json and --quiet', (command) => {
  const options = entries(helpOf(command), 'Options').join('\n');
  expect(options).toMatch(/^ {2}--json /m);
  expect(options).toMatch(/^ {2}-q, --quiet /m);
});

test('the examples of the help parse: no option in them is unknown', () => {
  for (const command of COMMANDS) {
    const help = helpOf(command);
    const flags = [
      ...entries(help, 'Examples')
        .join('\n')
        .matchAll(/ (--[a-z-]+)/g),
    ].map(([, flag]) => flag!);
    // A family's examples show its members.
    const helps = [help, ...(FAMILIES[command] ?? []).map((each) => helpOf(`${command} ${each}`))];
    const known = helps.flatMap((each) => entries(each, 'Options')).join('\n');
    for (const flag of flags) expect(known).toContain(`${flag} `);
  }
});

test('wrong use', async () => {
  await box.transcript(`
    $ sealdrop --version
    > 0.1.0
    $ sealdrop 2>&1 >/dev/null | tail -2
    > error: a command is missing
    > hint: see: sealdrop --help
    $ sealdrop >/dev/null 2>&1
    [2]
    $ sealdrop pt
    ! error: unknown command 'pt' (Did you mean put?)
    ! hint: see: sealdrop --help
    [2]
    $ sealdrop frobnicate
    ! error: unknown command 'frobnicate'
    ! hint: see: sealdrop --help
    [2]
    $ sealdrop put a b --pubic-key x
    ! error: unknown option '--pubic-key' (Did you mean --public-key?)
    ! hint: see: sealdrop put --help
    [2]
    $ sealdrop --json
    > {"error":{"code":"usage","message":"unknown option '--json'","hint":"see: sealdrop --help","retryable":false}}
    ! error: unknown option '--json'
    ! hint: see: sealdrop --help
    [2]
  `);
});

describe.each([
  [['put'], "missing required argument 'names'", 'see: sealdrop put --help'],
  [
    ['put', 'a.txt'],
    'the target is missing after a.txt',
    'sealdrop put SOURCE TARGET, where TARGET is s3://bucket/key or file:///directory/key',
  ],
  [
    ['put', 's3://bucket/x', 'a.txt'],
    's3://bucket/x is no file: the sources of put are files here',
    'sealdrop put SOURCE TARGET, with the vault last; objects are taken out with sealdrop get',
  ],
  [
    ['get', 'a.txt', 's3://bucket/x'],
    's3://bucket/x is no file: get writes plaintext, and into no vault',
    'sealdrop get SOURCE TARGET, where TARGET is a path or -; files go into a vault with sealdrop put',
  ],
  [
    ['get', 's3://bucket/x', ''],
    'the address cannot be used: it is empty',
    'an address is s3://bucket/key, file:///directory/key, NAME:key for a configured vault, or - for standard input or output',
  ],
  [
    ['put', 'a', 's3://b/', '--sign', '--suite', '0x0478'],
    "option '--sign' cannot be used with option '--suite <id>'",
    'see: sealdrop put --help',
  ],
  [['get'], "missing required argument 'source'", 'see: sealdrop get --help'],
  [['cat'], "missing required argument 'source'", 'see: sealdrop cat --help'],
  [['ls'], "missing required argument 'vault'", 'see: sealdrop ls --help'],
  [['rm'], "missing required argument 'object'", 'see: sealdrop rm --help'],
  [['inspect'], "missing required argument 'object'", 'see: sealdrop inspect --help'],
  [['verify'], "missing required argument 'object'", 'see: sealdrop verify --help'],
  [['completion'], "missing required argument 'shell'", 'see: sealdrop completion --help'],
  [
    ['completion', 'tcsh'],
    "command-argument value 'tcsh' is invalid for argument 'shell'. Allowed choices are bash, zsh, fish.",
    'see: sealdrop completion --help',
  ],
  [['keygen', 'a', 'b'], /^too many arguments for 'keygen'/, 'see: sealdrop keygen --help'],
  [['serve'], '--inbox is missing', 'name it, or try everything at once with --defaults'],
  [
    ['put', 'a', 's3://b/', '--public-key'],
    /--public-key <file>' argument missing/,
    'see: sealdrop put --help',
  ],
  [['put', 'a', 's3://b/', '--suite', '1'], /It must be an id, as 0x0478\.$/, 'see: sealdrop put --help'],
  [['put', 'a', 's3://b/', '--part-size', '5 apples'], /as 16777216 or 16MiB\.$/, 'see: sealdrop put --help'],
  [['put', 'a', 's3://b/', '--parallel', '0'], /It must be a number from 1\.$/, 'see: sealdrop put --help'],
  [['put', 'a', 's3://b/', '--context', 'a'], /It must be name=value\.$/, 'see: sealdrop put --help'],
  [['put', 'a', 's3://b/', '--context', 'a='], /It must be name=value\.$/, 'see: sealdrop put --help'],
  [
    ['put', 'a', 's3://b/', '--context', 'a=1', '--context', 'a=2'],
    /a is given twice\.$/,
    'see: sealdrop put --help',
  ],
  [
    ['get', 'a', '--oaep-hash', 'md5'],
    /Allowed choices are sha256, sha1, sha384, sha512\.$/,
    'see: sealdrop get --help',
  ],
  [['get', 'a', '--commitment-policy', 'x'], /Allowed choices are REQUIRE_/, 'see: sealdrop get --help'],
] as [string[], string | RegExp, string][])('sealdrop %j', (args, message, hint) => {
  test('is refused with exit code 2, one error line and a hint', async () => {
    const { code, stdout, stderr } = await box.run(args);
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 2, stdout: '' });
    const [error, advice, ...rest] = stderr.split('\n');
    expect(rest).toEqual(['']);
    if (typeof message === 'string') expect(error).toBe(`error: ${message}`);
    else expect(error!.replace('error: ', '')).toMatch(message);
    expect(advice).toBe(`hint: ${hint}`);
  });
});
