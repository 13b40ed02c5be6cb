// What a terabyte costs on Lambda, on paper: the processor time that was measured here, at AWS's prices.
import { GIB } from '../harness/options.mjs';

// x86, us-east-1, https://aws.amazon.com/lambda/pricing/
const PRICE_PER_GB_SECOND = 0.0000166667;
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
const MEGABYTES_OF_ONE_CPU = 1769;
// More processors than two it would not use.
const MOST_CPUS = 2;
const MEMORY = [512, 1024, 1769, 3538];
const TERABYTE = 1e12;

/**
 * @param cpu seconds of one processor for a GiB
 * @param network bytes a second that arrive and leave; absent: no limit
 * @returns for each memory size, seconds for a GiB and USD for a terabyte
 */
export function lambdaCosts(cpu, network = Infinity) {
  return MEMORY.map((megabytes) => {
    const processors = Math.min(megabytes / MEGABYTES_OF_ONE_CPU, MOST_CPUS);
    const seconds = Math.max(cpu / processors, GIB / network);
    const dollars = (TERABYTE / GIB) * seconds * (megabytes / 1024) * PRICE_PER_GB_SECOND;
    return { megabytes, seconds, dollars };
  });
}
