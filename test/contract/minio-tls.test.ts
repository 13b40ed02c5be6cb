import { s3StoreSuite } from './s3.suite.js';

s3StoreSuite('minio', { tls: true }, { checked: 'etag-md5', checkedInParts: 'crc32', listed: 50 });
