import { beforeAll, describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { Box } from '../helpers/cli.js';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
const has = (shell: string) => spawnSync(shell, ['-c', 'true']).status === 0;
const box = new Box();

const scripts = new Map<string, string>();
/** The options of each command, as its help lists them. */
const options = new Map<string, string[]>();

beforeAll(async () => {
  for (const shell of SHELLS) {
    const { code, stdout, stderr } = await box.run(['completion', shell]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    scripts.set(shell, stdout.toString());
    box.write(`script.${shell}`, stdout);
  }
  const help = (await box.run(['--help'])).stdout.toString();
  const commands = [
    ...help
      .split('\nCommands:\n')[1]!
      .split('\n\n')[0]!
      .matchAll(/^ {2}(\w+)/gm),
  ].map(([, name]) => name!);
  for (const command of commands.filter((name) => name !== 'help')) {
    const own = (await box.run([command, '--help'])).stdout.toString();
    const members = [...(own.split('\nCommands:\n')[1]?.split('\n\n')[0] ?? '').matchAll(/^ {2}([\w-]+)/gm)];
    const helps = [own];
    for (const [, member] of members)
      helps.push((await box.run([command, member!, '--help'])).stdout.toString());
    const flags = helps.flatMap((each) => [...each.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)]);
    options.set(command, [...new Set(flags.map(([, flag]) => flag!))]);
  }
  expect(options.size).toBeGreaterThanOrEqual(12);
});

/** The lines of one command in a script. */
const SECTIONS: Record<(typeof SHELLS)[number], (script: string, command: string) => string> = {
  bash: (script, command) => new RegExp(`^    ${command}\\) words="(.*)" ;;$`, 'm').exec(script)?.[1] ?? '',
  zsh: (script, command) => script.split(`\n    ${command}) _arguments`)[1]?.split(' ;;')[0] ?? '',
  fish: (script, command) =>
    script
      .split('\n')
      .filter((line) => line.includes(`__fish_seen_subcommand_from ${command}'`))
      .join('\n'),
};

describe.each(SHELLS)('the script for %s', (shell) => {
  test('has every command and, with each, exactly its options', () => {
    const script = scripts.get(shell)!;
    for (const [command, flags] of options) {
      expect(script).toMatch(new RegExp(`\\b${command}\\b`));
      const section = SECTIONS[shell](script, command);
      const found =
        shell === 'fish'
          ? [...section.matchAll(/ -l ([a-z-]+)/g)].map(([, name]) => `--${name}`)
          : [...section.matchAll(shell === 'zsh' ? /'\*?(--[a-z-]+)\[/g : /(--[a-z-]+)/g)].map(
              ([, flag]) => flag!,
            );
      expect([command, found.sort()]).toEqual([command, [...flags].sort()]);
    }
  });

  test('has the values that options choose from', () => {
    for (const value of ['sha384', 'REQUIRE_ENCRYPT_ALLOW_DECRYPT', 'keep', 'move', 'delete', 'fish'])
      expect(scripts.get(shell)).toContain(value);
  });
});

/** What bash offers after a line; the cursor stands at its end. */
async function offered(line: string): Promise<string[]> {
  const words = line.split(' ');
  const { stdout, stderr, code } = await box.shell(
    `source script.bash; COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _sealdrop; printf '%s\\n' "\${COMPREPLY[@]}"`,
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout.toString().split('\n').filter(Boolean);
}

describe('in bash', () => {
  test('is a script that bash takes, from a process substitution too', async () => {
    expect(await box.shell('bash -n script.bash')).toMatchObject({ code: 0, stderr: '' });
    expect(
      (await box.shell('source <(sealdrop completion bash); complete -p sealdrop')).stdout.toString(),
    ).toBe('complete -o default -F _sealdrop sealdrop\n');
  });

  test.each([
    [
      'sealdrop ',
      [
        ...[
          'init',
          'trust',
          'doctor',
          'keygen',
          'keys',
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
          'uploads',
          'bucket',
          'dlq',
          'backfill',
          'completion',
        ],
      ],
    ],
    ['sealdrop ke', ['keygen', 'keys']],
    ['sealdrop put --pub', ['--public-key']],
    ['sealdrop put --private', []],
    [
      'sealdrop get --p',
      [
        ...['--preserve', '--private-key', '--passphrase-file', '--passphrase-fd', '--profile', '--provider'],
        '--parallel',
      ],
    ],
    ['sealdrop put --oaep-hash sha', ['sha256', 'sha1', 'sha384', 'sha512']],
    ['sealdrop serve --after ', ['keep', 'move', 'delete']],
    ['sealdrop completion ', ['bash', 'zsh', 'fish', '--help']],
    ['sealdrop completion f', ['fish']],
    ['sealdrop dlq ', ['list', 'show', 'redrive']],
    ['sealdrop backfill st', ['start', 'status']],
    ['sealdrop backfill start --dr', ['--dry-run']],
    // Files: left to the shell.
    ['sealdrop put file', []],
    ['sealdrop put --public-key pub', []],
  ])('%j offers %j', async (line, words) => {
    expect(await offered(line)).toEqual(words);
  });
});

/** Quotes closed and brackets matched, outside of quotes: what a shell's own check would stumble over first. */
function structure(script: string, escapes: { inSingle: boolean }): string {
  const open: string[] = [];
  const pairs: Record<string, string> = { ')': '(', '}': '{' };
  let quote = '';
  for (let i = 0; i < script.length; i++) {
    const c = script[i]!;
    if (c === '\\' && (quote !== "'" || escapes.inSingle)) i++;
    else if (quote !== '') quote = c === quote ? '' : quote;
    else if (c === "'" || c === '"') quote = c;
    else if (c === '#' && /\s|^$/.test(script[i - 1] ?? ''))
      i = (script.indexOf('\n', i) + 1 || script.length) - 1;
    // A label of a case ends with a bracket that nothing opened.
    else if (
      c === ')' &&
      open.at(-1) !== '(' &&
      /^ *[\w-]+$/.test(script.slice(script.lastIndexOf('\n', i) + 1, i))
    )
      continue;
    else if (c === '(' || c === '{') open.push(c);
    else if (c in pairs && open.pop() !== pairs[c]) return `${c} at ${i} closes nothing`;
  }
  return quote !== '' ? `${quote} stays open` : open.length > 0 ? `${open.join('')} stay open` : 'sound';
}

const CHECKS = {
  zsh: { inSingle: false },
  fish: { inSingle: true },
} as const;

describe.each(['zsh', 'fish'] as const)('in %s', (shell) => {
  const there = has(shell);

  test(`is a script that ${shell} takes (${there ? `by ${shell} itself` : `${shell} is not installed: by its quotes and brackets`})`, async () => {
    if (there) expect(await box.shell(`${shell} -n script.${shell}`)).toMatchObject({ code: 0, stderr: '' });
    else expect(structure(scripts.get(shell)!, CHECKS[shell])).toBe('sound');
  });

  test(`offers commands and options (${there ? `by ${shell} itself` : `${shell} is not installed: by the lines that it would read`})`, async () => {
    const script = scripts.get(shell)!;
    if (shell === 'fish' && there) {
      const ask = (line: string) => box.shell(`fish -c 'source script.fish; complete -C "${line}"'`);
      expect((await ask('sealdrop ')).stdout.toString()).toMatch(/^keygen\t/m);
      expect((await ask('sealdrop put --pub')).stdout.toString()).toMatch(/^--public-key\t/m);
    } else if (there) {
      const { stdout } = await box.shell(
        `zsh -fc 'autoload -U compinit && compinit -D -u; source script.zsh; print $_comps[sealdrop]'`,
      );
      expect(stdout.toString()).toBe('_sealdrop\n');
    } else if (shell === 'zsh') {
      expect(script).toMatch(/^#compdef sealdrop\n/);
      for (const line of script.split('\n').filter((l) => l.startsWith("      '*--")))
        expect(line).toMatch(
          /^ {6}'\*--[a-z-]+\[([^\][':\\]|\\.|'\\'')*\](:value:(_files|\([\w -]+\)))?' \\$/,
        );
    } else {
      for (const line of script.split('\n').slice(1, -1))
        expect(line).toMatch(
          /^complete -c sealdrop -n ('__fish_seen_subcommand_from \w+'|__fish_use_subcommand) (-f -a ('[\w -]+'|[\w-]+)|-l [a-z-]+)( -d '([^'\\]|\\.)*')?( -r| -x -a '[\w -]+')?$/,
        );
    }
  });
});

test('the check of quotes and brackets finds what is broken', () => {
  expect(structure("echo 'a", CHECKS.zsh)).toBe("' stays open");
  expect(structure('f() { (( 1 )', CHECKS.zsh)).toBe('{( stay open');
  expect(structure('echo )', CHECKS.zsh)).toBe(') at 5 closes nothing');
  expect(structure("case x in\n  put) echo 'it'\\''s' ;;\nesac # don't", CHECKS.zsh)).toBe('sound');
});
