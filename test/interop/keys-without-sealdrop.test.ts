/** When sealdrop is gone: docs/keys.md opens objects with a key set by AWS's Python library and its Encryption CLI. */
import { beforeAll, expect, test } from '@jest/globals';
import { resolve } from 'node:path';
import { encryptionCli } from '../helpers/aws-encryption-cli.js';
import { Box } from '../helpers/cli.js';
import { pythonWithSdk } from '../helpers/python.js';
import { SETUP_TIME } from '../helpers/servers.js';

const PROGRAM = resolve('examples/python/open_with_key_set.py');
const WITHOUT = 'env -u SEALDROP_KEY_SET';

let box: Box;

beforeAll(async () => {
  const python = await pythonWithSdk(4);
  box = new Box();
  const { program, pythonPath } = await encryptionCli(box.path('provider'));
  Object.assign(box.names, { python, program, pythonPath, PROGRAM });
  box.write('a.txt', 'This is example for CSE!\n');
  // Rotated once: the first object names the key that is retired now.
  await box.transcript(`
    $ sealdrop keys add --key-set keys.json -q
    $ sealdrop keys export-public --key-set keys.json --out public.json -q
    $ sealdrop put a.txt file://{dir}/vault/old --public-key public.json -q
    $ sealdrop keys rotate --key-set keys.json -q
    $ sealdrop keys export-public --key-set keys.json --out public.json -q
    $ sealdrop put a.txt file://{dir}/vault/new --public-key public.json -q
    $ sealdrop keys add --aes 256 --key-set aes.json -q
    $ sealdrop put a.txt file://{dir}/vault/aes --key-set aes.json -q
  `);
}, SETUP_TIME);

test.each([
  ['old', 'keys.json'],
  ['new', 'keys.json'],
  ['aes', 'aes.json'],
])('the Python library opens %s with the set %s', async (object, set) => {
  await box.transcript(`
    $ ${WITHOUT} '{python}' '{PROGRAM}' ${set} vault/${object} ${object}.txt
    > 25 bytes, made for ${object}
    $ diff a.txt ${object}.txt
  `);
});

test('the AWS Encryption CLI opens an object with a private half of the set', async () => {
  const { name, privateKey } = (
    JSON.parse(box.read('keys.json').toString()) as { keys: { name: string; privateKey: string }[] }
  ).keys[1]!;
  box.write('private_key.pem', privateKey);
  const keys = `provider=rsa-key-file key=${name} namespace=MyAppKeys pem=private_key.pem`;
  const options = '--max-encrypted-data-keys 20 --suppress-metadata';
  const run = (object: string) =>
    box.shell(
      `PYTHONPATH='${box.names.pythonPath}' '${box.names.program}' --decrypt --input vault/${object} --output cli.txt --wrapping-keys ${keys} ${options}`,
    );
  expect(await run('new')).toMatchObject({ code: 0 });
  expect(box.read('cli.txt').toString()).toBe('This is example for CSE!\n');
  // The key that it was not wrapped to opens nothing.
  expect((await run('old')).code).not.toBe(0);
});
