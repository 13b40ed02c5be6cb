import { tempFolder } from '../helpers/server-process.js';
import { inboxSuite } from './inbox.suite.js';

inboxSuite('versitygw', { env: () => ({ VGW_VERSIONING_DIR: tempFolder('versions') }) });
