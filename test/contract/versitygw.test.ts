import { s3StoreSuite } from './s3.suite.js';

s3StoreSuite('versitygw', {}, { checked: 'signature', listed: 50 });
