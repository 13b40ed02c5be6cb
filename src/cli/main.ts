import { Command, CommanderError } from 'commander';
import type { Parts } from '../config/settings.js';
import { exitCodeOf, SealdropError } from '../errors.js';
import type { Environment } from './command.js';
import { backfillCommand } from './commands/backfill.js';
import { bucketCommand } from './commands/bucket.js';
import { completionCommand } from './commands/completion.js';
import { cpCommand, mvCommand } from './commands/copy.js';
import { dlqCommand } from './commands/dlq.js';
import { doctorCommand } from './commands/doctor.js';
import { catCommand, getCommand } from './commands/get.js';
import { initCommand } from './commands/init.js';
import { inspectCommand } from './commands/inspect.js';
import { keygenCommand } from './commands/keygen.js';
import { keysCommand } from './commands/keys.js';
import { lsCommand } from './commands/list.js';
import { putCommand } from './commands/put.js';
import { rmCommand } from './commands/remove.js';
import { rewrapCommand } from './commands/rewrap.js';
import { serveCommand } from './commands/serve.js';
import { syncCommand } from './commands/sync.js';
import { trustCommand } from './commands/trust.js';
import { uploadsCommand } from './commands/uploads.js';
import { verifyCommand } from './commands/verify.js';
import { configure } from './configure.js';
import { assertNoPem } from './no-keys.js';
import { assertWritten, Output } from './output.js';

const ABOUT = `
Examples:
  sealdrop keygen
  sealdrop put results.csv s3://lab/2026/ --public-key public_key.pem --endpoint-url https://s3.v3.abci.ai
  sealdrop get s3://lab/2026/results.csv . --private-key private_key.pem --endpoint-url https://s3.v3.abci.ai

Exit codes: 0 done, 1 failed, 2 wrong use, 3 not found, 4 access denied, 5 not authentic or not allowed to be opened,
6 some of many failed, 130 interrupted. Credentials are found as the AWS tools find them.`;

export function createProgram(environment: Environment, version: string): Command {
  const program = new Command('sealdrop')
    .description('Encrypts files on their way into any S3-compatible store.')
    .version(version, '-V, --version')
    .addHelpText('after', ABOUT)
    .helpCommand('help [command]', 'show what a command does');
  const commands = [
    initCommand(environment),
    trustCommand(environment),
    doctorCommand(environment),
    keygenCommand(environment),
    keysCommand(environment),
    putCommand(environment),
    getCommand(environment),
    catCommand(environment),
    lsCommand(environment),
    rmCommand(environment),
    syncCommand(environment),
    cpCommand(environment),
    mvCommand(environment),
    rewrapCommand(environment),
    inspectCommand(environment),
    verifyCommand(environment),
    serveCommand(environment),
    uploadsCommand(environment),
    bucketCommand(environment),
    dlqCommand(environment),
    backfillCommand(environment),
    completionCommand(program),
  ];
  for (const command of commands) program.addCommand(command);
  program.hook('preAction', (_program, command) => configure(command, environment));
  const nested = commands.flatMap((command) => command.commands);
  for (const command of [program, ...commands, ...nested])
    command
      .exitOverride()
      .configureOutput({ outputError: () => undefined })
      .showSuggestionAfterError();
  return program;
}

/** @param argv the arguments alone. @returns the exit code */
export async function main(argv: readonly string[], parts: Parts, version: string): Promise<number> {
  const interruption = new AbortController();
  const environment: Environment = { parts, signal: interruption.signal, exitCode: 0 };
  const stopListening = onInterruption(interruption);
  const program = createProgram(environment, version);
  try {
    assertNoPem(argv);
    await program.parseAsync(argv, { from: 'user' });
    if (environment.exitCode === 0) await assertWritten(process.stdout);
    return environment.exitCode;
  } catch (error) {
    return report(error, environment, program, argv);
  } finally {
    stopListening();
  }
}

function report(
  error: unknown,
  { signal, output }: Environment,
  program: Command,
  argv: readonly string[],
): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    // The help has been printed.
    if (error.code === 'commander.help') error.message = 'a command is missing';
    error = new SealdropError('usage', error.message.replace(/^error: /, '').replace(/\n+/g, ' '), {
      hint: `see: ${[...namesOf(program, argv), '--help'].join(' ')}`,
    });
  }
  // Whatever an interruption made fail, the interruption is what happened.
  if (signal.aborted) error = signal.reason;
  (output ?? new Output({ json: argv.includes('--json') })).error(error);
  return exitCodeOf(error);
}

/** The names of the command that the arguments begin with. */
function namesOf(command: Command, [first, ...rest]: readonly string[]): string[] {
  const named = command.commands.find((each) => each.name() === first);
  return [command.name(), ...(named === undefined ? [] : namesOf(named, rest))];
}

/** The first signal asks for an orderly end, the second one ends at once. */
function onInterruption(controller: AbortController): () => void {
  const listener = () => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort(new SealdropError('interrupted', 'interrupted'));
    // A read from a terminal or pipe would not end by itself.
    process.stdin.destroy();
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, listener);
  return () => {
    for (const signal of signals) process.off(signal, listener);
  };
}
