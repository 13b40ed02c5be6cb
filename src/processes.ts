/** Which processes of which machine there are: what was left by one that is gone can be cleared away. */
import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { systemCode } from './errors.js';

/** Of this machine, and of this container in it: elsewhere a process id says nothing. Eight hexadecimal digits. */
export function hostId(): string {
  let space = '';
  try {
    space = readlinkSync('/proc/self/ns/pid');
  } catch {
    // Other systems have one for all.
  }
  return createHash('sha256').update(`${hostname()}\0${space}`).digest('hex').slice(0, 8);
}

/** Whether there is a process of this number here: it may be another one by now. */
export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return systemCode(error) !== 'ESRCH';
  }
}

/**
 * When a process of this number began, in the system's own units: a number is given again. Undefined where it isn't known, and
 * of one that has ended and that nobody has asked about yet (a zombie).
 * Source: proc_pid_stat(5), fields 3 and 22.
 */
export function bornAt(pid: number): string | undefined {
  try {
    // The name may have spaces and brackets in it.
    const behindName = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '');
    const fields = behindName.split(' ');
    return /^[ZXx]/.test(fields[0]!) ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
