import { medianOf } from '../harness/rounds.mjs';
import { barChart, lineChart } from './chart.mjs';

/** @returns file names and what they hold, of the cases that there are results of */
export function drawCharts({ put, get, memory }) {
  return {
    ...(put && get && { 'bench-transfers.svg': transfers(put.at(-1), get.at(-1)) }),
    ...(memory && { 'bench-memory.svg': memoryOverTime(memory[0]) }),
  };
}

function transfers(...contests) {
  const groups = contests.map(({ name, runs }) => ({
    name,
    bars: Object.entries(runs).map(([label, all]) => ({
      label,
      value: medianOf(all, 'seconds'),
      own: label === 'sealdrop',
    })),
  }));
  return barChart('Seconds, from start to end (less is better)', groups, (value) => `${value.toFixed(1)} s`);
}

function memoryOverTime({ runs }) {
  const series = Object.entries(runs).map(([label, [{ samples, seconds }]]) => ({
    label,
    points: thinned(samples).map(([at, bytes]) => [at / seconds, bytes / 1e6]),
  }));
  const highest = Math.max(...series.flatMap(({ points }) => points.map(([, megabytes]) => megabytes)));
  return lineChart('Resident memory, MB', series, {
    format: (value) => value.toFixed(0),
    most: Math.ceil(highest / 50) * 50,
    foot: 'from the start of each transfer to its end',
  });
}

/** What a line of this width can show. */
function thinned(samples) {
  const step = Math.max(1, Math.floor(samples.length / 150));
  return samples.filter((_, i) => i % step === 0);
}
