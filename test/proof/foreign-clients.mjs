// The S3 Encryption Clients for Go, Python and Java among themselves: nothing of ours is in it. What they can do is what we are
// measured by (test/interop/s3ec*), and changes only with their versions.
// Usage: npm run proof -- foreign-clients
import { runJest } from '../helpers/run-jest.mjs';

runJest(['test/proof/s3ec']);
