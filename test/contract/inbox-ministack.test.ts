import { inboxSuite } from './inbox.suite.js';

inboxSuite('ministack', { versionRanges: false });
