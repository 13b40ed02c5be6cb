/** Data keys of S3 Encryption Client objects by a KMS that is none of ours: by ARN and alias, bound to their context. */
import { CreateAliasCommand, CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { KmsClients } from '../../src/keys/kms/client.js';
import { parseKmsKey } from '../../src/keys/kms/names.js';
import { kmsS3ecCandidate } from '../../src/keys/kms/s3ec-unwrap.js';
import { kmsS3ecKey } from '../../src/keys/kms/s3ec-wrap.js';
import { s3ecUnwrappingKeys } from '../../src/keys/s3ec-unwrapping.js';
import type { S3ecSealedKey } from '../../src/ports.js';
import { awsEnvironment, isWanted, SETUP_TIME, startMinistack, type S3Server } from '../helpers/servers.js';

const wanted = isWanted('ministack') ? describe : describe.skip;

wanted('ministack’s KMS', () => {
  let server: S3Server;
  let [arn, other, alias] = ['', '', ''];

  beforeAll(async () => {
    server = await startMinistack();
    const { endpoint, region, credentials } = server;
    Object.assign(process.env, awsEnvironment(server));
    const kms = new KMSClient({ endpoint, region, credentials });
    const newKey = async () => (await kms.send(new CreateKeyCommand({}))).KeyMetadata!.Arn!;
    [arn, other] = [await newKey(), await newKey()];
    await kms.send(new CreateAliasCommand({ AliasName: 'alias/cse', TargetKeyId: arn }));
    alias = arn.replace(/key\/.*/, 'alias/cse');
    kms.destroy();
  }, SETUP_TIME);
  afterAll(() => server.stop());

  const named = (id: string) => parseKmsKey(id, 'kms:');
  const open = (sealed: S3ecSealedKey, ...ids: string[]) =>
    s3ecUnwrappingKeys({
      kms: kmsS3ecCandidate({ clients: new KmsClients(), keys: ids.map(named) }),
    }).unwrap(sealed);

  test('opens what was made or wrapped by a key or an alias, in its context alone', async () => {
    const binding = { contentAlgorithm: '115', description: { project: 'データ' } };
    for (const id of [arn, alias, 'alias/cse']) {
      const key = kmsS3ecKey(named(id), new KmsClients());
      const { dataKey, ...made } = await key.generate(binding);
      const theirs = randomBytes(32);
      const wrapped = await key.wrap(theirs, binding);
      for (const [expected, sealed] of [
        [dataKey, { ...made, algorithm: 'kms+context', contentAlgorithm: '115' }],
        [theirs, { ...wrapped, algorithm: 'kms+context', contentAlgorithm: '115' }],
      ] as const) {
        for (const by of [arn, alias, 'alias/cse']) expect(await open(sealed, by)).toEqual(expected);
        const description = { ...sealed.description, project: 'x' };
        const wrong = { code: 'wrong_key_or_header' };
        await expect(open({ ...sealed, description }, arn)).rejects.toMatchObject(wrong);
        // It decrypts by another key than the ciphertext's too, as AWS doesn't: to something else.
        expect(await open(sealed, other).catch(() => undefined)).not.toEqual(expected);
      }
    }
  });
});
