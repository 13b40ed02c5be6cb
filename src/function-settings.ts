import { SETTINGS_VARIABLE } from './contract.js';
import { SealdropError } from './errors.js';

/**
 * What infrastructure has written for this function.
 * @throws SealdropError `usage` where it is missing or no JSON
 */
export function functionSettings<T>(environment: NodeJS.ProcessEnv = process.env): T {
  try {
    return JSON.parse(environment[SETTINGS_VARIABLE] ?? '') as T;
  } catch {
    throw new SealdropError('usage', `the variable ${SETTINGS_VARIABLE} holds no settings`);
  }
}
