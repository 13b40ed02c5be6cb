export type Figures = Readonly<Record<string, number>>;
export type Runs = Readonly<Record<string, readonly Figures[]>>;
export interface Pair {
  of: string;
  to: string;
  by: string;
}
export function median(values: readonly number[]): number;
export function runRounds(
  contest: { peers: { name: string; run: (turn: { round: number }) => Promise<Figures> }[] },
  repeat: number,
): Promise<Runs>;
export function ratioOf(runs: Runs, pair: Pair): number;
export function ratioOfBest(runs: Runs, pair: Pair): number;
