/** Messages are kept for years: programs of these versions have written some, and are still in use. */
import { COMMITMENT_POLICIES } from '../../src/ports.js';
import { describeReading, describeWriting } from './exchange.js';

// Version 1 reads committing messages since 1.7, and writes uncommitted ones alone.
for (const version of [
  { major: 2, exactly: '2.5.1', policies: COMMITMENT_POLICIES },
  { major: 1, exactly: '1.10.1', policies: ['FORBID_ENCRYPT_ALLOW_DECRYPT'] },
] as const) {
  describeReading(version);
  describeWriting(version);
}
