import { expect, test } from '@jest/globals';
import { parseAddress } from '../../src/address.js';

test.each([
  ['-', { kind: 'stdio' }],
  ['s3://bucket', { kind: 's3', bucket: 'bucket', key: '' }],
  ['s3://bucket/a b/%20/日本', { kind: 's3', bucket: 'bucket', key: 'a b/%20/日本' }],
  ['s3://bucket//a', { kind: 's3', bucket: 'bucket', key: '/a' }],
  ['file:///a b/%20/日本#?', { kind: 'file', path: '/a b/%20/日本#?', named: true }],
  ['file:///vault/', { kind: 'file', path: '/vault/', named: true }],
  ['file:///', { kind: 'file', path: '/', named: true }],
  ['../here', { kind: 'file', path: '../here', named: false }],
])('%s is taken literally', (text, address) => {
  expect(parseAddress(text)).toEqual(address);
});

test.each(['file:///vault//b', 'file:///vault/../b', 'file:///vault/./b', 'file:////b', 'file:///b//'])(
  '%s is refused: an object must not have two addresses',
  (text) => {
    expect(() => parseAddress(text)).toThrow(expect.objectContaining({ code: 'key_not_storable' }));
  },
);

test.each(['', 's3://', 's3:///key', 'file://relative', 'http://host/key', 'S3X://a'])(
  '"%s" is no address',
  (text) => {
    expect(() => parseAddress(text)).toThrow(expect.objectContaining({ code: 'usage' }));
  },
);
