import { Argument, Command, type Option } from 'commander';

const SHELLS = ['bash', 'zsh', 'fish'] as const;

const EXAMPLES = `
Examples:
  source <(sealdrop completion bash)
  sealdrop completion zsh > "\${fpath[1]}/_sealdrop"
  sealdrop completion fish > ~/.config/fish/completions/sealdrop.fish`;

/** Scripts made from the commands and options themselves, so they cannot fall behind. */
export function completionCommand(program: Command): Command {
  return new Command('completion')
    .description('print a completion script for a shell')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .addHelpText('after', EXAMPLES)
    .action((shell: (typeof SHELLS)[number]) => {
      process.stdout.write(SCRIPTS[shell](program));
    });
}

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript };

interface Entry {
  name: string;
  description: string;
  nested: { name: string; description: string }[];
  options: { flag: string; description: string; takesValue: boolean; choices: readonly string[] }[];
}

function entries(program: Command): Entry[] {
  return program.commands.map((command) => ({
    name: command.name(),
    description: command.description(),
    nested: command.commands.map((each) => ({ name: each.name(), description: each.description() })),
    options: [
      // Of all that it is made of: which word stands where is not looked at.
      ...uniqueOptions([command, ...command.commands]).map((option) => ({
        flag: option.long ?? option.short ?? '',
        description: option.description,
        takesValue: option.required,
        choices: option.argChoices ?? [],
      })),
      { flag: '--help', description: 'show help', takesValue: false, choices: [] },
    ],
  }));
}

function uniqueOptions(commands: readonly Command[]): Option[] {
  const all = commands.flatMap((command) => command.options);
  return all.filter((option, i) => all.findIndex((other) => other.long === option.long) === i);
}

function bashScript(program: Command): string {
  const commands = entries(program);
  const cases = commands.map(
    ({ name, options }) =>
      `    ${name}) words="${[...(name === 'completion' ? SHELLS : []), ...options.map((o) => o.flag)].join(' ')}" ;;`,
  );
  const nested = commands
    .filter((c) => c.nested.length > 0)
    .map(
      (c) =>
        `      ${c.name}) COMPREPLY=($(compgen -W "${c.nested.map((n) => n.name).join(' ')}" -- "$current")); return ;;`,
    );
  const choices = commands
    .flatMap((c) => c.options)
    .filter((o, i, all) => o.choices.length > 0 && all.findIndex((p) => p.flag === o.flag) === i)
    .map((o) => `    ${o.flag}) COMPREPLY=($(compgen -W "${o.choices.join(' ')}" -- "$current")); return ;;`);
  return `# bash completion for sealdrop
_sealdrop() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${commands.map((c) => c.name).join(' ')}" -- "$current")); return
  fi
  if [ "$COMP_CWORD" -eq 2 ]; then
    case "\${COMP_WORDS[1]}" in
${nested.join('\n')}
    esac
  fi
  case "\${COMP_WORDS[COMP_CWORD-1]}" in
${choices.join('\n')}
  esac
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
    *) [ "\${COMP_WORDS[1]}" = completion ] && COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
  esac
}
complete -o default -F _sealdrop sealdrop
`;
}

function zshScript(program: Command): string {
  const quote = (text: string) => text.replace(/'/g, `'\\''`).replace(/[[\]:]/g, '\\$&');
  const commands = entries(program);
  const cases = commands.map(({ name, options, nested }) => {
    const specs = options.map(({ flag, description, takesValue, choices }) => {
      const value = takesValue ? `:value:${choices.length > 0 ? `(${choices.join(' ')})` : '_files'}` : '';
      return `      '*${flag}[${quote(description)}]${value}'`;
    });
    const words = name === 'completion' ? ['bash', 'zsh', 'fish'] : nested.map((each) => each.name);
    const rest =
      words.length > 0
        ? `'1:${name === 'completion' ? 'shell' : 'command'}:(${words.join(' ')})'`
        : `'*:file:_files'`;
    return `    ${name}) _arguments \\\n${[...specs, `      ${rest}`].join(' \\\n')} ;;`;
  });
  return `#compdef sealdrop
_sealdrop() {
  if (( CURRENT == 2 )); then
    local -a commands=(
${commands.map((c) => `      '${c.name}:${quote(c.description)}'`).join('\n')}
    )
    _describe command commands
    return
  fi
  local command="$words[2]"
  shift words
  (( CURRENT-- ))
  case "$command" in
${cases.join('\n')}
  esac
}
if [ "$funcstack[1]" = "_sealdrop" ]; then _sealdrop "$@"; else compdef _sealdrop sealdrop; fi
`;
}

function fishScript(program: Command): string {
  const quote = (text: string) => `'${text.replace(/[\\']/g, '\\$&')}'`;
  const lines = ['# fish completion for sealdrop'];
  for (const { name, description, options, nested } of entries(program)) {
    lines.push(`complete -c sealdrop -n __fish_use_subcommand -f -a ${name} -d ${quote(description)}`);
    for (const each of nested)
      lines.push(
        `complete -c sealdrop -n '__fish_seen_subcommand_from ${name}' -f -a ${each.name} -d ${quote(each.description)}`,
      );
    for (const { flag, description: about, takesValue, choices } of options) {
      const value = !takesValue ? '' : choices.length > 0 ? ` -x -a ${quote(choices.join(' '))}` : ' -r';
      lines.push(
        `complete -c sealdrop -n '__fish_seen_subcommand_from ${name}' -l ${flag.replace(/^--?/, '')} -d ${quote(about)}${value}`,
      );
    }
  }
  lines.push(`complete -c sealdrop -n '__fish_seen_subcommand_from completion' -f -a 'bash zsh fish'`);
  return `${lines.join('\n')}\n`;
}
