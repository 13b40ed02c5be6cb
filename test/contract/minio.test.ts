import { s3StoreSuite } from './s3.suite.js';

s3StoreSuite('minio', {}, { checked: 'signature' });
