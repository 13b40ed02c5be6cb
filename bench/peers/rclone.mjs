// rclone with its defaults, plain and by its own encryption (NaCl's SecretBox, 64 KiB blocks).
import { BUCKET } from '../harness/lab.mjs';

export const RCLONE_KINDS = ['rclone', 'rclone crypt'];

export async function openRclone({ helpers, at }, { credentials, endpoint, region, caBundle }) {
  const program = await helpers.binary('rclone');
  const config = ['--config', at('no-rclone.conf'), '--ca-cert', caBundle];
  const obscured = (await helpers.run(program, ['obscure', 'a password of the benchmark'])).trim();
  const env = {
    RCLONE_CONFIG_STORE_TYPE: 's3',
    RCLONE_CONFIG_STORE_PROVIDER: 'Minio',
    RCLONE_CONFIG_STORE_ENDPOINT: endpoint,
    RCLONE_CONFIG_STORE_REGION: region,
    RCLONE_CONFIG_STORE_ACCESS_KEY_ID: credentials.accessKeyId,
    RCLONE_CONFIG_STORE_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    RCLONE_CONFIG_STORE_USE_UNSIGNED_PAYLOAD: 'true',
    RCLONE_CONFIG_STORE_NO_CHECK_BUCKET: 'true',
    RCLONE_CONFIG_CRYPT_TYPE: 'crypt',
    RCLONE_CONFIG_CRYPT_REMOTE: `store:${BUCKET}/crypt`,
    RCLONE_CONFIG_CRYPT_PASSWORD: obscured,
    // So that what it stored can be looked for.
    RCLONE_CONFIG_CRYPT_FILENAME_ENCRYPTION: 'off',
  };
  const [version] = (await helpers.run(program, ['version'])).split('\n');
  const copies = {
    rclone: ['store:', `${BUCKET}/rclone`, 'rclone'],
    'rclone crypt': ['crypt:', 'object', 'crypt/object.bin'],
  };
  return {
    version,
    env,
    copy: (from, to) => [program, 'copy', from, to, ...config],
    peer(kind) {
      const [remote, path, object] = copies[kind];
      return {
        name: kind,
        object,
        env,
        // Else it leaves out what is there already.
        put: (file) => [program, 'copyto', '--ignore-times', file, remote + path, ...config],
        get: (file) => [program, 'copyto', remote + path, file, ...config],
      };
    },
  };
}
