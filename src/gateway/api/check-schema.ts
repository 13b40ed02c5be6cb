/**
 * Checks a value against a schema of `schemas.ts`. The functions that encrypt may hold no schema library, and ajv's
 * standalone code imports parts of ajv; this knows the few keywords that are used, and a test holds it against ajv.
 */
import type { Schema } from './schemas.js';

/** What is wrong, as `name: it must ...`, or undefined where nothing is. */
export function schemaProblem(value: unknown, schema: Schema, where = ''): string | undefined {
  const problem = ownProblem(value, schema);
  if (problem !== undefined) return where === '' ? problem : `${where}: ${problem}`;
  if (Array.isArray(value))
    return first(value, (item, i) => schema.items && schemaProblem(item, schema.items, `${where}[${i}]`));
  if (typeof value !== 'object' || value === null) return undefined;
  return first(Object.entries(value), ([name, member]) => memberProblem(name, member, schema, where));
}

function memberProblem(name: string, member: unknown, schema: Schema, where: string): string | undefined {
  const { properties = {}, additionalProperties } = schema;
  const path = where === '' ? name : `${where}.${name}`;
  if (Object.hasOwn(properties, name)) return schemaProblem(member, properties[name]!, path);
  if (additionalProperties === false) return `${JSON.stringify(path)}: it is not known`;
  return additionalProperties && schemaProblem(member, additionalProperties, path);
}

function ownProblem(value: unknown, schema: Schema): string | undefined {
  const { type, required = [], properties = {} } = schema;
  if (type !== undefined && !isOfType(value, type)) return `it must be of type ${type}`;
  if (typeof value === 'string') return stringProblem(value, schema);
  if (typeof value === 'number') return numberProblem(value, schema);
  if (type !== 'object') return undefined;
  const missing = required.find((name) => !Object.hasOwn(value as object, name));
  return missing === undefined ? undefined : `${missing} is missing (${Object.keys(properties).join(', ')})`;
}

function isOfType(value: unknown, type: NonNullable<Schema['type']>): boolean {
  if (type === 'array') return Array.isArray(value);
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value);
  return type === 'integer' ? Number.isInteger(value) : typeof value === type;
}

function stringProblem(value: string, schema: Schema): string | undefined {
  const letters = [...value].length;
  if (letters < (schema.minLength ?? 0)) return 'it is too short';
  if (letters > (schema.maxLength ?? Infinity)) return `it is longer than ${schema.maxLength} letters`;
  if (schema.pattern !== undefined && !new RegExp(schema.pattern, 'u').test(value))
    return 'it is not of the form that is asked for';
  if (schema.enum !== undefined && !schema.enum.includes(value))
    return `it must be one of ${schema.enum.join(', ')}`;
  return undefined;
}

function numberProblem(
  value: number,
  { minimum = -Infinity, maximum = Infinity }: Schema,
): string | undefined {
  if (value < minimum) return `it must be at least ${minimum}`;
  return value > maximum ? `it must be at most ${maximum}` : undefined;
}

function first<T>(
  items: readonly T[],
  problemOf: (item: T, index: number) => string | undefined,
): string | undefined {
  for (const [i, item] of items.entries()) {
    const problem = problemOf(item, i);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
