/** What an examination of a store finds, and what follows from it. */
import type { StoreTraits } from '../store-traits.js';

/**
 * `ok`; `note`: so it is, and nothing has to be done; `warning`: something to think about; `setting`: doesn't work, or not
 * safely, without the settings named; `broken`: doesn't work.
 */
export type Verdict = 'ok' | 'note' | 'warning' | 'setting' | 'broken';

export interface Finding {
  readonly check: string;
  readonly verdict: Verdict;
  readonly text: string;
  readonly advice?: string;
  /** What solves it. */
  readonly settings?: StoreTraits;
}

export type Found = Omit<Finding, 'check'>;

export const ok = (text: string): Found => ({ verdict: 'ok', text });
export const note = (text: string): Found => ({ verdict: 'note', text });
export const warning = (text: string, advice?: string): Found => ({
  verdict: 'warning',
  text,
  ...(advice !== undefined && { advice }),
});
export const broken = (text: string, advice?: string): Found => ({
  verdict: 'broken',
  text,
  ...(advice !== undefined && { advice }),
});

/** @param has what is set already: then it is well */
export function setting(text: string, settings: StoreTraits, has: StoreTraits): Found {
  const isSet = Object.entries(settings).every(([name, value]) => has[name as keyof StoreTraits] === value);
  return isSet ? ok(`${text}: it is set so`) : { verdict: 'setting', text, settings };
}
