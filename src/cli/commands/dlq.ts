import { Command, Option } from 'commander';
import { OUTPUTS } from '../../contract.js';
import { isSealdropError, SealdropError } from '../../errors.js';
import { deadLetterOf, isSelected, redrive, walk, type DeadLetter } from '../../gateway/dead-letters.js';
import type { MessageQueue, Operations } from '../../operations.js';
import { printable, shellQuoted } from '../../printable.js';
import { awsOptions, formatAge, outputNamed, outputsOf, withOperations, type AwsOptions } from '../aws.js';
import { openOutput, type Environment } from '../command.js';
import { confirm } from '../confirm.js';
import * as shared from '../options.js';
import type { Output } from '../output.js';

interface DlqOptions extends AwsOptions, shared.OutputOptions {
  queueUrl?: string;
}

interface SelectingOptions extends DlqOptions {
  max: number;
  code?: string;
  key?: string;
}

interface RedriveOptions extends SelectingOptions {
  toUrl?: string;
  yes?: boolean;
  dryRun?: boolean;
}

/** Long enough to look at all that is shown; short, so that an alarm's count recovers soon if this dies. */
const LIST_HOLD = 60;
const REDRIVE_HOLD = 600;
const NO_LIMIT = Number.MAX_SAFE_INTEGER;
const INSTEAD = '--queue-url URL';

const EXAMPLES = `
Examples:
  sealdrop dlq list --deployment prod
  sealdrop dlq redrive --deployment prod --code store_unavailable --dry-run

What could not be encrypted waits in the deployment's dead-letter queue, for 14 days at most. docs/operations.md says
what each code asks for.`;

const LIST_EXAMPLES = `
Examples:
  sealdrop dlq list --deployment prod
  sealdrop dlq list --deployment prod --code key_not_storable --json

A sample: Amazon SQS lists no queue, it hands out messages, and may leave some out. They are given back at once. The
code is why it is there; "exhausted" was tried too often. Objects are shown as bucket/key.`;

const SHOW_EXAMPLES = `
Examples:
  sealdrop dlq show 6c4e0d1a-3d0b-4c39-9e6f-0d5d6f1f5b0e --deployment prod

The beginning of an id will do. Events of S3 hold the MD5 of plaintext: of a message, only what it is about is shown.`;

const REDRIVE_EXAMPLES = `
Examples:
  sealdrop dlq redrive --deployment prod --dry-run
  sealdrop dlq redrive --deployment prod --code exhausted --yes
  sealdrop dlq redrive --deployment prod --key reports/2026/

Moves messages to the deployment's own queue, where they are tried again. Each is sent before it is removed: if this is
interrupted, a message may be in both, and is stored once all the same.`;

export function dlqCommand(environment: Environment): Command {
  return new Command('dlq')
    .description('look at what could not be encrypted on AWS, and try it again')
    .helpCommand(false)
    .addHelpText('after', EXAMPLES)
    .addCommand(listCommand(environment))
    .addCommand(showCommand(environment))
    .addCommand(redriveCommand(environment));
}

function queueOptions(command: Command): Command {
  return awsOptions(command).addOption(
    new Option('--queue-url <url>', 'the dead-letter queue, in place of the deployment’s'),
  );
}

function selectingOptions(command: Command): Command {
  return queueOptions(command)
    .addOption(new Option('--code <code>', 'only messages with this code'))
    .addOption(new Option('--key <key>', 'only this object, or all below where it ends in a slash'));
}

function listCommand(environment: Environment): Command {
  const command = selectingOptions(
    new Command('list').description('list messages of the dead-letter queue: a sample'),
  ).addOption(new Option('--max <n>', 'look at so many at most').argParser(shared.positive).default(100));
  return shared
    .outputOptions(command)
    .addHelpText('after', LIST_EXAMPLES)
    .action(async (options: SelectingOptions) => {
      const output = openOutput(environment, options);
      await withOperations(environment, options, async (operations) => {
        const { signal } = environment;
        const { queue, outputs } = await openQueue(operations, options, signal);
        const about = await queue.count(signal);
        const { [OUTPUTS.queue]: atWork, [OUTPUTS.log]: log } = outputs;
        const working = atWork === undefined ? 0 : await countedIfAllowed(operations.queue(atWork), signal);
        let seen = 0;
        await walk(queue, { limit: options.max, holdSeconds: LIST_HOLD, signal }, (message) => {
          seen++;
          const letter = deadLetterOf(message);
          if (isSelected(letter, { ...options, ids: [] })) printLetter(output, letter);
          return false;
        });
        output.note(
          `looked at ${seen} of about ${counted(Math.max(about, seen))} in ${printable(queue.url)}`,
        );
        if (working > 0) output.note(`about ${counted(working)} not given up: tried again by the deployment`);
        if (working > 0 && log !== undefined)
          output.note(`its log says why: aws logs tail ${shellQuoted(log)}`);
      });
    });
}

function showCommand(environment: Environment): Command {
  const command = queueOptions(
    new Command('show').description('show one message').argument('<id>', 'its id, or the beginning of it'),
  );
  return shared
    .outputOptions(command)
    .addHelpText('after', SHOW_EXAMPLES)
    .action(async (id: string, options: DlqOptions) => {
      const output = openOutput(environment, options);
      await withOperations(environment, options, async (operations) => {
        const { signal } = environment;
        const { queue } = await openQueue(operations, options, signal);
        const found: DeadLetter[] = [];
        await walk(queue, { limit: NO_LIMIT, holdSeconds: LIST_HOLD, signal }, (message) => {
          if (message.id.startsWith(id)) found.push(deadLetterOf(message));
          return false;
        });
        if (found.length > 1)
          throw new SealdropError('usage', `${found.length} ids begin with ${printable(id)}`);
        if (found[0] === undefined)
          throw notFound(`no message was found whose id begins with ${printable(id)}`);
        showLetter(output, found[0]);
      });
    });
}

function redriveCommand(environment: Environment): Command {
  const command = selectingOptions(
    new Command('redrive')
      .description('move messages back to the queue that is worked on')
      .argument('[id...]', 'only messages whose id begins so'),
  )
    .addOption(new Option('--to-url <url>', 'the queue to move them to, in place of the deployment’s'))
    .addOption(
      new Option('--max <n>', 'look at so many at most (default: all)')
        .argParser(shared.positive)
        .default(NO_LIMIT, 'all'),
    )
    .addOption(new Option('--dry-run', 'say what would be moved, and move nothing'))
    .addOption(new Option('-y, --yes', 'do not ask'));
  return shared
    .outputOptions(command)
    .addHelpText('after', REDRIVE_EXAMPLES)
    .action(async (ids: string[], options: RedriveOptions) => {
      const output = openOutput(environment, options);
      await withOperations(environment, options, async (operations) => {
        const { signal } = environment;
        const { queue: from, outputs } = await openQueue(operations, options, signal);
        const to = operations.queue(options.toUrl ?? outputNamed(outputs, OUTPUTS.queue));
        const dryRun = options.dryRun === true;
        const about = await from.count(signal);
        output.note(
          `about ${counted(about)} in ${printable(from.url)}\nwhat is chosen goes to ${printable(to.url)}`,
        );
        if (!dryRun && options.yes !== true && !(await confirm(question(ids, options), signal))) {
          output.note('nothing was moved');
          return;
        }
        let moved = 0;
        const selection = { ids, code: options.code, key: options.key };
        const walked = { limit: options.max, holdSeconds: REDRIVE_HOLD, signal };
        await redrive({
          ...walked,
          from,
          to,
          wanted: selection,
          dryRun,
          onMoved(letter) {
            moved++;
            if (output.json) output.document({ ...documentOf(letter), moved: !dryRun, to: to.url });
            else output.data(lineOf(letter));
          },
        });
        const selected = ids.length > 0 || options.code !== undefined || options.key !== undefined;
        if (moved === 0 && selected)
          throw notFound('none of the messages that were looked at is one of these');
        output.note(`${moved} ${dryRun ? 'would be moved' : 'moved'}`);
      });
    });
}

function question(ids: readonly string[], { code, key }: RedriveOptions): string {
  const chosen = [
    ...(ids.length > 0 ? [`the ${ids.length} named`] : []),
    ...(code === undefined ? [] : [`those with code ${printable(code)}`]),
    ...(key === undefined ? [] : [`those of ${printable(key)}`]),
  ];
  return `move ${chosen.length === 0 ? 'all of them' : chosen.join(', of these ')}?`;
}

async function openQueue(
  operations: Operations,
  options: DlqOptions & { toUrl?: string },
  signal: AbortSignal,
): Promise<{ queue: MessageQueue; outputs: Readonly<Record<string, string>> }> {
  const { queueUrl, toUrl } = options;
  if (queueUrl !== undefined && (toUrl !== undefined || !options.deployment))
    return { queue: operations.queue(queueUrl), outputs: {} };
  const outputs = await outputsOf(operations, options, INSTEAD, signal);
  return { queue: operations.queue(queueUrl ?? outputNamed(outputs, OUTPUTS.deadLetters)), outputs };
}

/** What is not given up is told besides: whoever may not see it gets the list all the same. */
async function countedIfAllowed(queue: MessageQueue, signal: AbortSignal): Promise<number> {
  return queue.count(signal).catch((error: unknown) => {
    if (isSealdropError(error) && error.code === 'access_denied') return 0;
    throw error;
  });
}

function notFound(message: string): SealdropError {
  return new SealdropError('dead_letter_not_found', message, {
    hint: 'sealdrop dlq list shows what there is; some may be in other hands for the moment: try again in a minute',
  });
}

const counted = (messages: number) => `${messages} message${messages === 1 ? '' : 's'}`;

const namesOf = ({ objects }: DeadLetter): string =>
  objects.length === 0 ? '(not to be read)' : objects.map(({ bucket, key }) => `${bucket}/${key}`).join(', ');

function lineOf(letter: DeadLetter): string {
  const age = formatAge(letter.sent).padStart(7);
  return `${age} ${printable(letter.code).padEnd(20)} ${letter.id} ${printable(namesOf(letter))}`;
}

function documentOf({ sent, ...letter }: DeadLetter): object {
  return { ...letter, sent: sent.toISOString() };
}

function printLetter(output: Output, letter: DeadLetter): void {
  if (output.json) output.document(documentOf(letter));
  else output.data(lineOf(letter));
}

function showLetter(output: Output, letter: DeadLetter): void {
  if (output.json) return output.document(documentOf(letter));
  const { id, code, objects, hint, sent, receiveCount } = letter;
  const rows = [
    ['code', code],
    ...objects.flatMap(({ bucket, key, version }) => [
      ['bucket', bucket],
      ['key', key],
      ...(version === undefined ? [] : [['version', version]]),
    ]),
    ['sent', `${sent.toISOString()} (${formatAge(sent)} ago)`],
    ['received', `${receiveCount} times`],
    ...(hint === undefined ? [] : [['hint', hint]]),
  ];
  output.data(id);
  for (const [name, value] of rows) output.data(`  ${name!.padEnd(10)}${printable(value!)}`);
}
