/** `sealdrop serve`: a folder, a bucket and the API, as they were asked for. */
import { once } from 'node:events';
import { resolve } from 'node:path';
import { parseAddress } from '../address.js';
import type { Vault } from '../config/settings.js';
import { exitCodeOf, SealdropError } from '../errors.js';
import { FolderGateway, type AfterStore } from '../gateway/folder.js';
import type { BucketGateway } from '../gateway/bucket.js';
import type { RunningServer } from '../gateway/http/server.js';
import { RenewedKeys } from '../gateway/renewed-keys.js';
import type { Encryptor, PublicKeyInfo } from '../ports.js';
import { printable } from '../printable.js';
import { assertTakes, newVaultFor } from '../transfer/unbound-format.js';
import { openOutput, type Environment } from './command.js';
import * as shared from './options.js';
import type { Output } from './output.js';
import { openBucketGateway, runBucket, type BucketAddress } from './serve-bucket.js';
import { assertOpens } from './serve-format.js';
import { prepareApi, serveApi, type ApiParts, type PreparedApi } from './serve-api.js';
import type { ServeOptions } from './serve-options.js';
import {
  assertBucketThere,
  assertKeysApart,
  assertMoveTarget,
  loadIdempotencyKey,
  mustBeDirectory,
  preparePlaces,
  type PlaceOptions,
  type Places,
} from './serve-places.js';
import { reporter } from './serve-report.js';

/** Runs until it is interrupted, or with `--once` until nothing is left to store. */
export async function serve(options: ServeOptions, environment: Environment): Promise<void> {
  const output = openOutput(environment, options);
  const once = options.once === true;
  if (options.listen !== undefined && once)
    throw new SealdropError('usage', '--once ends, and --listen does not: they do not go together');
  const bucket = bucketOf(options);
  const api = await prepareApi(options, environment);
  const places = await preparePlaces(placeOptions(options, bucket), environment, output);
  const keys = await openKeys(options, places, environment, output);
  const { encryptor } = keys;
  assertOpens(encryptor, options);
  if (places.inbox !== undefined) await mustBeDirectory(places.inbox);
  const settings = { ...shared.storeSettings(options), ...newVaultFor(encryptor) };
  const vault = await environment.parts.openVault(places.vault, 'write', settings);
  try {
    assertTakes(vault, encryptor);
    if (vault.created) output.note(`made a new vault: ${printable(vault.store.address(''))}`);
    await assertKeysApart(places, vault);
    await assertBucketThere(vault, environment.signal);
    const made = { vault, encryptor, output };
    const folder = await openGateway(places, options, made);
    const inbox = bucket && (await openBucket(bucket, places, options, environment, made));
    sayRecipients(encryptor, output);
    const hasInbox = folder !== undefined || inbox !== undefined;
    const idempotencyKey = hasInbox ? await loadIdempotencyKey(places.idempotencyKey) : undefined;
    const publicKeys = () => keys.publicKeys;
    const parts = { publicKeys, vault, encryptor, idempotencyKey };
    const server = await openServer(api, parts, inbox, output);
    const stopReading = once ? undefined : keys.every(options.keysTtl);
    try {
      if (folder !== undefined) await runGateway(folder, places, vault, options, environment, output);
      else if (inbox !== undefined) await runBucket(inbox, once, environment, output);
      else await untilInterrupted(environment.signal, output);
    } finally {
      stopReading?.();
      await server?.stop();
    }
    if (!once) output.note('stopped');
  } finally {
    vault.store.close();
  }
}

async function openKeys(
  options: ServeOptions,
  { publicKeys: publicKey }: Places,
  { parts }: Environment,
  output: Output,
): Promise<RenewedKeys> {
  const settings = shared.encryptSettings({ ...options, publicKey }, options.vault);
  return RenewedKeys.open({
    read: async () => {
      const publicKeys = await parts.readPublicKeys(settings);
      const encryptor = await parts.openEncryptor(settings);
      assertCannotUnwrap(encryptor, publicKeys);
      return { encryptor, publicKeys };
    },
    changed: ({ encryptor }) => sayRecipients(encryptor, output),
    failed: (error) =>
      output.warn(
        `the keys could not be read again: ${(error as Error).message}`,
        'those from before are used until they can be',
      ),
  });
}

/**
 * A gateway takes public keys and keys of KMS alone: the others are raw AES keys.
 * @throws SealdropError `private_key_in_public_key_set`
 */
function assertCannotUnwrap({ recipients }: Encryptor, publicKeys: readonly PublicKeyInfo[]): void {
  const known = new Set(publicKeys.map(({ fingerprint }) => fingerprint));
  const secret = recipients.find(({ fingerprint }) => !known.has(fingerprint));
  if (secret === undefined) return;
  const shown = printable(`${secret.namespace}/${secret.name}`);
  throw new SealdropError(
    'private_key_in_public_key_set',
    `${shown} is a raw AES key: a gateway takes none`,
    {
      hint: 'whoever wraps with it can unwrap: give the gateway public halves, or a key of KMS',
    },
  );
}

function sayRecipients({ recipients }: Encryptor, output: Output): void {
  for (const { fingerprint } of recipients) output.note(`encrypting to ${fingerprint}`);
}

/** The inbox, where it is one. @throws SealdropError `usage` */
function bucketOf({ inbox, webhookTokenFile, listen }: ServeOptions): BucketAddress | undefined {
  const address = inbox?.startsWith('s3://') === true ? parseAddress(inbox) : undefined;
  const bucket = address?.kind === 's3' ? address : undefined;
  if (webhookTokenFile !== undefined && (bucket === undefined || listen === undefined))
    throw new SealdropError('usage', '--webhook-token-file goes with --listen and --inbox s3://bucket/');
  return bucket;
}

function placeOptions(options: ServeOptions, bucket: BucketAddress | undefined): PlaceOptions {
  const secretFiles = [
    options.tokenFile,
    options.webhookTokenFile,
    options.tlsKey,
    options.decryptWith,
  ].filter((file) => file !== undefined);
  const { inbox, ...rest } = options;
  const named = inbox !== undefined || options.defaults === true || options.listen === undefined;
  const folder = bucket === undefined && named;
  return { ...rest, secretFiles, folder, ...(folder && inbox !== undefined && { inbox }) };
}

async function openBucket(
  bucket: BucketAddress,
  places: Places,
  options: ServeOptions,
  environment: Environment,
  { vault, encryptor, output }: Made & { output: Output },
): Promise<BucketGateway> {
  const idempotencyKey = await loadIdempotencyKey(places.idempotencyKey);
  const side = { vault, encryptor, store: vault.store, prefix: vault.key, idempotencyKey };
  return openBucketGateway(bucket, options, side, environment, output);
}

interface Made {
  vault: Vault;
  encryptor: Encryptor;
}

async function openGateway(
  places: Places,
  options: ServeOptions,
  { vault, encryptor, output }: Made & { output: Output },
): Promise<FolderGateway | undefined> {
  const { inbox } = places;
  if (inbox === undefined) return undefined;
  const after = afterStore(options, inbox);
  if (after.action === 'move') await assertMoveTarget(after.to, inbox, vault);
  return FolderGateway.open({
    inbox,
    store: vault.store,
    prefix: vault.key,
    encryptor,
    idempotencyKey: await loadIdempotencyKey(places.idempotencyKey),
    after,
    settleMs: options.settle * 1000,
    report: reporter(output, vault, { privateKey: places.privateKey, format: encryptor.format }),
  });
}

async function openServer(
  api: PreparedApi | undefined,
  parts: Made & Pick<ApiParts, 'idempotencyKey' | 'publicKeys'>,
  inbox: BucketGateway | undefined,
  output: Output,
): Promise<RunningServer | undefined> {
  if (api === undefined) return undefined;
  const notify = inbox && ((message: unknown) => inbox.notify(message));
  return serveApi(api, { ...parts, ...(notify && { notify }) }, output);
}

async function untilInterrupted(signal: AbortSignal, output: Output): Promise<void> {
  output.note('interrupt to end (Ctrl-C)');
  if (!signal.aborted) await once(signal, 'abort');
}

function afterStore({ after, moveTo }: ServeOptions, inbox: string): AfterStore {
  if (after !== 'move') {
    if (moveTo !== undefined) throw new SealdropError('usage', '--move-to goes with --after move');
    return { action: after };
  }
  return { action: 'move', to: resolve(moveTo ?? `${resolve(inbox)}-done`) };
}

async function runGateway(
  gateway: FolderGateway,
  places: Places,
  vault: Vault,
  options: ServeOptions,
  environment: Environment,
  output: Output,
): Promise<void> {
  const { signal } = environment;
  const doing = options.once === true ? 'reading' : 'watching';
  output.note(`${doing} ${printable(places.inbox!)} -> ${printable(vault.store.address(vault.key))}`);
  if (options.once !== true) {
    output.note('interrupt to end (Ctrl-C)');
    await gateway.run(signal);
    return;
  }
  await gateway.runOnce(signal);
  signal.throwIfAborted();
  const { stored, duplicate, failed } = gateway.counts;
  output.note(`${stored} stored, ${duplicate} there already, ${failed} failed`);
  if (failed === 0) return;
  const some = stored + duplicate > 0;
  environment.exitCode = exitCodeOf(some ? new SealdropError('partial', 'some failed') : gateway.lastError);
}
