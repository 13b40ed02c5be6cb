export type Ratios = Readonly<Record<string, { by: string; value: number }>>;
export function fallen(found: Ratios, baseline: Readonly<Record<string, number>>): string[];
