import { describe, test } from '@jest/globals';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { isWanted, STARTERS, type ServerName, type StartOptions } from '../helpers/servers.js';
import { objectStoreSuite, type SuiteTraits } from './object-store.suite.js';

const PART = 5 * 1024 * 1024;

/** The suite on a real server. */
export function s3StoreSuite(name: ServerName, options: StartOptions, traits: SuiteTraits): void {
  const title = `${name} over ${options.tls === true ? 'https' : 'http'}`;
  if (!isWanted(name)) {
    describe(`an object store: ${title}`, () => test.skip('not in SEALDROP_TEST_SERVERS', () => {}));
    return;
  }
  objectStoreSuite(
    title,
    async () => {
      const server = await STARTERS[name](options);
      const bucket = await server.createBucket('contract');
      const store = server.store(bucket);
      const missing = server.store('no-such-bucket');
      return {
        store,
        missing,
        partSize: PART,
        raw: async (key) => {
          const { Body } = await server.client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
          return Buffer.from(await Body!.transformToByteArray());
        },
        close: async () => {
          store.close();
          missing.close();
          await server.stop();
        },
      };
    },
    traits,
  );
}
