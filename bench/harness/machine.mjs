import { readFileSync, statfsSync } from 'node:fs';
import { arch, availableParallelism, cpus, loadavg, release, tmpdir, totalmem } from 'node:os';

const TMPFS = 0x01021994;

/** Where it is measured. The load is that of the minute before. */
export function describeMachine() {
  return {
    cpu: cpus()[0].model,
    cores: availableParallelism(),
    memory: totalmem(),
    arch: arch(),
    kernel: release(),
    system: systemName(),
    node: process.version,
    openssl: process.versions.openssl,
    files: statfsSync(tmpdir()).type === TMPFS ? 'in memory (tmpfs)' : 'on disk',
    load: loadavg()[0],
    when: new Date().toISOString(),
  };
}

function systemName() {
  try {
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'Linux';
  } catch {
    return process.platform;
  }
}

export const machineLine = ({ cpu, cores, memory, arch, kernel, system, node, files, load }) =>
  `${cpu}, ${cores} cores, ${(memory / 1e9).toFixed(0)} GB, ${system} (${arch}, kernel ${kernel}), Node ${node}, files ${files}, load before ${load.toFixed(1)}`;
