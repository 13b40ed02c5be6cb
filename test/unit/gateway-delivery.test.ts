import { describe, expect, jest, test } from '@jest/globals';
import { backOff } from '../../src/gateway/batch.js';
import { deliveryOf } from '../../src/gateway/delivery.js';
import { objectsOf } from '../../src/gateway/object-created.js';
import { timeBudget } from '../../src/gateway/time-budget.js';

const s3 = (key: string, more: Record<string, unknown> = {}, eventName = 'ObjectCreated:Put') => ({
  eventName,
  s3: { bucket: { name: 'inbox' }, object: { key, eTag: 'e', sequencer: '00AB', ...more } },
});
const detail = (key: string, more: Record<string, unknown> = {}) => ({
  ...{ source: 'aws.s3', 'detail-type': 'Object Created' },
  detail: { bucket: { name: 'inbox' }, object: { key, etag: 'e', sequencer: '00AB', ...more } },
});

describe('a record of S3', () => {
  test.each([
    ['a+b', 'a b'],
    ['a%2Bb', 'a+b'],
    ['100%25', '100%'],
    ['%2541', '%41'],
    ['%E6%97%A5', '日'],
    ['%F0%9F%97%9D', '🗝'],
    ['a%2Fb', 'a/b'],
    ['a/b', 'a/b'],
  ])('has its key %s decoded to %s', (encoded, key) => {
    expect(objectsOf({ Records: [s3(encoded)] })).toMatchObject([
      { bucket: 'inbox', key, sequencer: '00AB' },
    ]);
  });

  test.each(['%', '%E6%97', '%zz'])('with the key %j is malformed', (key) => {
    expect(() => objectsOf({ Records: [s3(key)] })).toThrow(
      expect.objectContaining({ code: 'event_malformed' }),
    );
  });

  test.each([
    ['v1', 'v1'],
    ['null', undefined],
    ['', undefined],
    [null, undefined],
    [17, undefined],
  ])('with the version id %j has the version %j', (versionId, version) => {
    expect(objectsOf({ Records: [s3('a', { versionId })] })[0]?.version).toBe(version);
  });

  test.each(['ObjectCreated:Post', 'ObjectCreated:CompleteMultipartUpload', 's3:ObjectCreated:Copy'])(
    '%s is new',
    (name) => {
      expect(objectsOf({ Records: [s3('a', {}, name)] })).toHaveLength(1);
    },
  );

  test.each(['ObjectRemoved:Delete', 'ObjectTagging:Put', 'xObjectCreated:Put', 'ObjectRestore:Completed'])(
    '%s is nothing new',
    (name) => {
      expect(objectsOf({ Records: [s3('a', {}, name)] })).toEqual([]);
    },
  );

  test('each of several is taken', () => {
    expect(objectsOf({ Records: [s3('a'), s3('b')] }).map(({ key }) => key)).toEqual(['a', 'b']);
  });
});

describe('an event of EventBridge', () => {
  test.each(['a+b', '100%', '%41', '日', 'a b'])('has its key %s as it is', (key) => {
    expect(objectsOf(detail(key, { 'version-id': 'v1' }))).toEqual([
      { bucket: 'inbox', key, version: 'v1', etag: 'e', sequencer: '00AB' },
    ]);
  });

  test('through a queue orders, by a direct call it does not', () => {
    expect(objectsOf(detail('a'))[0]?.sequencer).toBe('00AB');
    expect(deliveryOf(detail('a'))).toMatchObject({ kind: 'event', objects: [{ sequencer: undefined }] });
  });
});

describe('a call', () => {
  test('for an object has its key as it is, and nothing else of what it says', () => {
    const event = { bucket: 'b', key: 'a+%41', dryRun: true, version: 'v', etag: 'e', sequencer: 'FF' };
    expect(deliveryOf(event)).toEqual({
      kind: 'direct',
      batch: false,
      objects: [{ bucket: 'b', key: 'a+%41', dryRun: true, again: true }],
    });
  });

  test('for items of a map has a list', () => {
    const event = {
      Items: [
        { bucket: 'b', key: 'x' },
        { bucket: 'b', key: 'y', dryRun: false },
      ],
    };
    expect(deliveryOf(event)).toMatchObject({
      batch: true,
      objects: [
        { key: 'x', dryRun: false },
        { key: 'y', dryRun: false },
      ],
    });
  });

  test.each(['yes', 'true', 1, {}])('whose dryRun is %j is refused: it may have been meant', (dryRun) => {
    expect(() => deliveryOf({ bucket: 'b', key: 'y', dryRun })).toThrow(/dryRun must be true or false/);
    expect(() => deliveryOf({ Items: [{ bucket: 'b', key: 'y', dryRun }] })).toThrow(/dryRun/);
  });

  test.each([
    ['3', 3],
    ['0', 1],
    ['many', 1],
    [undefined, 1],
  ])('with a message received %j times', (count, received) => {
    const record = {
      messageId: 'i',
      receiptHandle: 'r',
      body: '{}',
      attributes: { ApproximateReceiveCount: count },
    };
    expect(deliveryOf({ Records: [record] })).toEqual({
      kind: 'queue',
      messages: [{ id: 'i', receipt: 'r', body: '{}', received }],
    });
  });
});

test('a dead letter names an object, and orders nothing', () => {
  const letter = { bucket: 'inbox', key: 'a+b', versionId: 'v1', code: 'too_large', sequencer: 'FF' };
  expect(objectsOf(letter)).toEqual([{ bucket: 'inbox', key: 'a+b', version: 'v1', again: true }]);
});

test.each([
  [1, undefined, 15],
  [2, undefined, 30],
  [7, undefined, 900],
  [10_000, undefined, 900],
  [1, 1, 1],
  [11, 1, 900],
])('after %i times waits from %j: %i seconds', (received, first, seconds) => {
  expect(backOff(received, first)).toBe(seconds);
});

describe('the time of a function', () => {
  const MIB = 1024 * 1024;
  const codeOf = (run: () => void): string => {
    try {
      run();
      return 'none';
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  test.each([
    ['small, all of the time', 900, 900, 1, 'none'],
    ['large, all of the time', 900, 900, 10_000 * MIB, 'none'],
    ['larger than all of the time', 900, 900, 20_000 * MIB, 'too_large_for_lambda'],
    ['larger than what is left', 900, 100, 10_000 * MIB, 'out_of_time'],
    ['more than is allowed', 900, 900, 30_000 * MIB, 'too_large_for_lambda'],
    ['small, little time in all', 8, 8, 1, 'none'],
  ])('%s', (_, all, left, bytes, code) => {
    let now = all * 1000;
    const budget = timeBudget(() => now, 25_000 * MIB);
    now = left * 1000;
    expect(codeOf(() => budget.admit(bytes, { from: 's3://in/a', to: 's3://out/a', format: 'esdk' }))).toBe(
      code,
    );
    budget.end();
  });

  test('is over a while before its end', () => {
    jest.useFakeTimers();
    try {
      const end = Date.now() + 400;
      const budget = timeBudget(() => end - Date.now(), 1);
      expect(budget.enough()).toBe(true);
      jest.advanceTimersByTime(299);
      expect(budget.signal.aborted).toBe(false);
      jest.advanceTimersByTime(1);
      expect([budget.signal.aborted, budget.enough()]).toEqual([true, false]);
    } finally {
      jest.useRealTimers();
    }
  });
});
