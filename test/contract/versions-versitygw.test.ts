import { versionsSuite } from './versions.suite.js';

versionsSuite('versitygw');
