import { s3StoreSuite } from './s3.suite.js';

s3StoreSuite('ministack', {}, { checked: 'signature', listed: 50 });
