import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, test } from '@jest/globals';
import { ROUTES } from '../../src/contract.js';
import { schemaProblem } from '../../src/gateway/api/check-schema.js';
import { openApiDocument } from '../../src/gateway/api/openapi.js';
import { LIST_QUERY, SCHEMAS, type Schema } from '../../src/gateway/api/schemas.js';

const ajv = new Ajv2020({ strict: false });
/** Those that requests are checked by, and one that uses all the rest. */
const CHECKED: Record<string, Schema> = {
  UploadRequest: SCHEMAS.UploadRequest,
  ...LIST_QUERY,
  everything: {
    type: 'object',
    properties: {
      text: { type: 'string', minLength: 1, maxLength: 3, pattern: '^[a-z🚀]*$' },
      choice: { type: 'string', enum: ['a', 'b'] },
      number: { type: 'integer', minimum: -1, maximum: 5 },
      list: { type: 'array', items: { type: 'integer', minimum: 0 } },
      map: { type: 'object', additionalProperties: { type: 'string' } },
    },
    required: ['text'],
    additionalProperties: false,
  },
};

const word = fc.oneof(
  fc.constantFrom('', 'a', 'b', '🚀', '🚀🚀🚀', '🚀🚀🚀🚀', 'name', '__proto__'),
  fc.string({ maxLength: 5 }),
);
const leaf = fc.oneof(word, fc.integer({ min: -3, max: 8 }), fc.double(), fc.boolean(), fc.constant(null));
const name = fc.constantFrom(
  'text',
  'choice',
  'number',
  'list',
  'map',
  'name',
  'size',
  'other',
  'toString',
  '__proto__',
);
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(name, tie('any'), { maxKeys: 4 }),
  ),
})).any;

/** Not far from what is valid. */
const near = fc.record(
  {
    text: fc.oneof(fc.constantFrom('a', 'ab', '🚀🚀', 'abcd', ''), leaf),
    choice: fc.constantFrom('a', 'b', 'c'),
    number: fc.integer({ min: -2, max: 6 }),
    list: fc.array(fc.integer({ min: -1, max: 5 }), { maxLength: 3 }),
    map: fc.dictionary(name, word, { maxKeys: 2 }),
    name: fc.oneof(word, leaf),
    size: fc.oneof(fc.integer({ min: -1 }), fc.constantFrom(5 * 1024 ** 3, 5 * 1024 ** 3 + 1, 0.5)),
  },
  { requiredKeys: [] },
);
const sampleOf = (schema: Schema) =>
  fc.oneof(
    value,
    near,
    near.map((sample) =>
      Object.fromEntries(
        Object.entries(sample).filter(([key]) => Object.hasOwn(schema.properties ?? {}, key)),
      ),
    ),
  );

describe.each(Object.entries(CHECKED))('%s', (_, schema) => {
  const validate = ajv.compile(schema);

  test('is judged as ajv judges it', () => {
    let valid = 0;
    fc.assert(
      fc.property(sampleOf(schema), (sample) => {
        // As it comes: parsed JSON.
        const parsed: unknown = JSON.parse(JSON.stringify(sample));
        const right = validate(parsed);
        if (right) valid++;
        expect({ parsed, valid: schemaProblem(parsed, schema) === undefined }).toEqual({
          parsed,
          valid: right,
        });
      }),
      { numRuns: 3_000 },
    );
    expect(valid).toBeGreaterThan(0);
  });
});

test('a problem is said with the name of the field, and not with its value', () => {
  expect(schemaProblem({ text: 'SECRET' }, CHECKED.everything!)).toMatch(/^text: it is longer/);
  expect(schemaProblem({ text: 'a', list: [1, -1] }, CHECKED.everything!)).toBe(
    'list[1]: it must be at least 0',
  );
  expect(schemaProblem({ text: 'a', map: { x: 1 } }, CHECKED.everything!)).toBe(
    'map.x: it must be of type string',
  );
  expect(schemaProblem({}, CHECKED.everything!)).toContain('text is missing');
});

test('no schema has a keyword that is not checked', () => {
  const known = [
    ...[
      '$ref',
      'type',
      'description',
      'properties',
      'required',
      'additionalProperties',
      'items',
      'enum',
      'default',
    ],
    ...['minLength', 'maxLength', 'pattern', 'minimum', 'maximum', 'format'],
  ];
  const keywords = (schema: Schema): string[] => [
    ...Object.keys(schema),
    ...Object.values(schema.properties ?? {}).flatMap(keywords),
    ...(schema.items ? keywords(schema.items) : []),
    ...(typeof schema.additionalProperties === 'object' ? keywords(schema.additionalProperties) : []),
  ];
  const used = [...Object.values(SCHEMAS), ...Object.values(LIST_QUERY)].flatMap(keywords);
  expect(used.filter((keyword) => !known.includes(keyword))).toEqual([]);
  // What is only said, not checked, is in answers alone.
  expect(keywords(SCHEMAS.UploadRequest)).not.toContain('format');
  expect(keywords(SCHEMAS.UploadRequest)).not.toContain('$ref');
});

test('every schema is a valid one, and every one that the document names is there', () => {
  const document = openApiDocument({
    routes: ROUTES.map(({ method, path }) => `${method} ${path}`),
    base: 'https://api.test',
    security: 'jwt',
  });
  for (const schema of Object.values(SCHEMAS)) expect(ajv.validateSchema(schema)).toBe(true);
  const names = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(
    (match) => match[1],
  );
  expect(new Set(names)).toEqual(new Set(Object.keys(SCHEMAS)));
});
