import { awsCli } from './aws-cli.js';
import { encryptionCliPython } from './aws-encryption-cli.js';
import { binary } from './binaries.js';
import { pythonWithSdk } from './python.js';
import { goWithS3ec, pythonWithS3ec } from './s3ec-clients.js';
import { javaWithS3ec } from './s3ec-java-program.js';
import { ministackPython } from './servers.js';

/**
 * Obtains every server, Python and program that tests start. Built while tests run, they would take the processors from tests
 * that wait for an answer. Those of Go take processors, the others mostly wait for what they download.
 */
export async function prepareAll(): Promise<void> {
  const built = async () => {
    await binary('minio');
    await binary('versitygw');
    await goWithS3ec();
  };
  const downloaded = async () => {
    await ministackPython();
    for (const major of [4, 2, 1] as const) await pythonWithSdk(major);
    await encryptionCliPython();
    await pythonWithS3ec();
    await awsCli();
    await javaWithS3ec();
  };
  await Promise.all([built(), downloaded()]);
}
