/** AWS's own command line, in a virtual environment of the cache. */
import { join } from 'node:path';
import { pythonVenv } from './python-venv.js';

/** @returns the program. The first time takes a minute. */
export async function awsCli(): Promise<string> {
  return join(await pythonVenv('aws-cli', ['awscli==1.46.3']), '..', 'aws');
}
