/** Transfers that go on where they were broken off: what the commands ask of them, and say of puts. */
import { Option, type Command } from 'commander';
import type { ResumedPutReport, ResumeEvent } from '../transfer/resume/run.js';
import type { Environment } from './command.js';
import { formatBytes, type Output } from './output.js';

const MIB = 1024 * 1024;
const DEFAULT_RESUME_FROM = 64 * MIB;

export function noResumeOption(command: Command): Command {
  return command.addOption(
    new Option('--no-resume', 'begin anew, and leave nothing where it is interrupted'),
  );
}

/** Bytes of a file or an object from which on its transfer can be gone on with. */
export function resumeFrom({ resume }: { resume?: boolean }, { config }: Environment): number {
  return resume === false ? Infinity : (config?.config.resumeFrom ?? DEFAULT_RESUME_FROM);
}

/** @param clear the command that removes what is kept */
export function sayOfResuming(event: ResumeEvent, clear: string, output: Output): void {
  if (event.kind === 'restarted') output.note(`an earlier put is not gone on with: ${event.why}`);
  if (event.kind === 'without') output.note(`this put could not be gone on with later: ${event.why}`);
  if (event.kind !== 'resumed' && event.kind !== 'kept') return;
  const amount = `${formatBytes(event.there)} of ${formatBytes(event.size)}`;
  if (event.kind === 'resumed') output.note(`going on with an earlier put: ${amount} are there`);
  else
    output.note(`${amount} stay at the store: the same command goes on from there, and ${clear} clears it`);
}

export const sentNow = ({ resumed }: ResumedPutReport): string =>
  resumed === undefined ? '' : `, ${formatBytes(resumed.sent)} sent now`;
