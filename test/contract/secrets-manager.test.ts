import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { inspect } from 'node:util';
import { secretsManager } from '../../src/secrets/secrets-manager.js';
import type { SecretReader } from '../../src/secrets/secret-reader.js';
import { startFaultProxy, type FaultProxy } from '../helpers/fault-proxy.js';
import { isWanted, SETUP_TIME, startMinistack, type S3Server } from '../helpers/servers.js';

const wanted = isWanted('ministack') ? describe : describe.skip;

wanted('secrets of Secrets Manager', () => {
  let server: S3Server;
  let proxy: FaultProxy;
  let client: SecretsManagerClient;
  let secrets: SecretReader;

  beforeAll(async () => {
    server = await startMinistack();
    proxy = await startFaultProxy(server.endpoint);
    const { region, credentials } = server;
    client = new SecretsManagerClient({ endpoint: proxy.endpoint, region, credentials, maxAttempts: 2 });
    secrets = secretsManager(client);
  }, SETUP_TIME);
  afterAll(async () => {
    client?.destroy();
    await proxy?.close();
    await server?.stop();
  });

  test('are read by name, as text or bytes, and cannot be printed', async () => {
    const bytes = Buffer.from([0, 255, 1, 254]);
    await client.send(new CreateSecretCommand({ Name: 'app/text', SecretString: 'geheim ü' }));
    await client.send(new CreateSecretCommand({ Name: 'app/bytes', SecretBinary: bytes }));
    const text = await secrets.read('app/text');
    expect(text.reveal().toString()).toBe('geheim ü');
    expect(inspect(text)).not.toContain('geheim');
    expect((await secrets.read('app/bytes')).reveal().equals(bytes)).toBe(true);
  });

  test('are read anew', async () => {
    await client.send(new CreateSecretCommand({ Name: 'rotated', SecretString: 'old' }));
    await secrets.read('rotated');
    await client.send(new PutSecretValueCommand({ SecretId: 'rotated', SecretString: 'new' }));
    expect((await secrets.read('rotated')).reveal().toString()).toBe('new');
  });

  test('that are missing, or to be deleted, are secret_missing', async () => {
    await expect(secrets.read('none')).rejects.toMatchObject({ code: 'secret_missing', retryable: false });
    await client.send(new CreateSecretCommand({ Name: 'leaving', SecretString: 'x' }));
    await client.send(new DeleteSecretCommand({ SecretId: 'leaving' }));
    await expect(secrets.read('leaving')).rejects.toMatchObject({ code: 'secret_missing' });
  });

  test('that were made and never filled are secret_missing', async () => {
    await client.send(new CreateSecretCommand({ Name: 'unfilled' }));
    await expect(secrets.read('unfilled')).rejects.toMatchObject({ code: 'secret_missing' });
  });

  test('that may not be read, or cannot be had just now, are told apart', async () => {
    const denied = { __type: 'AccessDeniedException', message: 'no' };
    const headers = { 'content-type': 'application/x-amz-json-1.1' };
    proxy.add({ answer: { status: 400, body: JSON.stringify(denied), headers } });
    await expect(secrets.read('rotated')).rejects.toMatchObject({ code: 'access_denied' });
    proxy.add({ answer: { status: 500 }, times: 2 });
    const unavailable = { code: 'secrets_unavailable', retryable: true };
    await expect(secrets.read('rotated')).rejects.toMatchObject(unavailable);
    proxy.add({ cutRequest: 0, times: 2 });
    await expect(secrets.read('rotated')).rejects.toMatchObject(unavailable);
  });
});
