// The programs of the ABCI Cloud Storage guide, as printed there, with their constants set: the AWS Encryption SDK for
// Python, with the whole file in memory.
import { mkdirSync, symlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BUCKET } from '../harness/lab.mjs';

const KEY = 'guide';

export async function openGuide({ helpers, at, keys }, { credentials, endpoint }) {
  const python = await helpers.pythonWithSdk(4);
  const folder = at('guide');
  mkdirSync(folder, { recursive: true });
  for (const half of ['public', 'private']) {
    const link = join(folder, `${half}_key.pem`);
    rmSync(link, { force: true });
    symlinkSync(keys()[half], link);
  }
  const shared = {
    BUCKET_NAME: BUCKET,
    ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  };
  const program = (name, values) => {
    writeFileSync(join(folder, name), helpers.filledProgram(name, { ...shared, ...values }));
    return [python, name];
  };
  return {
    name: 'guide (Python)',
    object: KEY,
    cwd: folder,
    put: (file) => program('Upload_By_CSE.py', { UPLOAD_KEY: KEY, LOCAL_FILE: file }),
    get: (file) => program('Download_By_CSE.py', { DOWNLOAD_KEY: KEY, DOWNLOAD_FILE: file }),
  };
}
