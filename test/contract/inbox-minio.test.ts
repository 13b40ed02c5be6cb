import { inboxSuite } from './inbox.suite.js';

inboxSuite('minio');
