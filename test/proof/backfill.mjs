// The backfill that CI runs with 400 objects, with 2,000 and more: pages of listings and reports come in thousands.
// Usage: npm run proof -- backfill [OBJECTS]
import { runJest } from '../helpers/run-jest.mjs';

runJest(['test/e2e/aws-backfill'], { SEALDROP_BACKFILL_OBJECTS: process.argv[2] ?? '2000' });
