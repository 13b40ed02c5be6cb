/**
 * A secret of AWS Secrets Manager, replaced only by whoever has read what it replaces. PutSecretValue takes no
 * condition; moving the label AWSCURRENT does: it is refused unless the label is on the version that it is taken from.
 * So a new version comes in under a label of its own first.
 */
import { randomUUID } from 'node:crypto';
import {
  CreateSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  TagResourceCommand,
  UpdateSecretCommand,
  UpdateSecretVersionStageCommand,
  type DescribeSecretCommandOutput,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { SealdropError } from '../errors.js';
import { printable } from '../printable.js';
import { Secret } from '../secret.js';
import type { Kept, KeptAbout, KeptValue, WriteSettings, Written } from '../kept.js';
import { changedMeanwhile, isMissing, nameOf, serviceError } from './service-errors.js';

const CURRENT = 'AWSCURRENT';
/** Under which a version waits for its turn. */
const NEXT = 'sealdrop-next';
/** Of Secrets Manager. */
const MAX_BYTES = 65_536;

export function keptSecret(client: SecretsManagerClient, name: string): KeptValue {
  const shown = `secretsmanager:${printable(name)}`;
  const fail = (action: string) => (error: unknown) => {
    throw serviceError(error, shown, `secretsmanager:${action}`);
  };

  /** The current version; its bytes may be none. */
  async function current(): Promise<Kept | undefined> {
    const answer = await client
      .send(new GetSecretValueCommand({ SecretId: name }))
      .catch((error: unknown) => (isMissing(error) ? undefined : fail('GetSecretValue')(error)));
    if (answer === undefined) return undefined;
    const { SecretString: text, SecretBinary: binary, VersionId: version, ARN: arn } = answer;
    const bytes = binary === undefined ? Buffer.from(text ?? '') : Buffer.from(binary);
    return { bytes: new Secret(bytes), version: version!, ...(arn !== undefined && { arn }) };
  }

  async function read(): Promise<Kept | undefined> {
    const kept = await current();
    return kept === undefined || kept.bytes.reveal().length === 0 ? undefined : kept;
  }

  async function about(): Promise<KeptAbout | undefined> {
    const answer = await client
      .send(new DescribeSecretCommand({ SecretId: name }))
      .catch((error: unknown) => (isMissing(error) ? undefined : fail('DescribeSecret')(error)));
    if (answer !== undefined)
      return {
        arn: answer.ARN!,
        tags: Object.fromEntries((answer.Tags ?? []).map(({ Key, Value }) => [Key!, Value ?? ''])),
      };
    // As a name it would make another secret, with the ARN in its name.
    if (!name.startsWith('arn:')) return undefined;
    throw new SealdropError('secret_missing', `${shown} does not exist`, {
      hint: 'check the ARN; a new secret is made by its name',
    });
  }

  async function create(value: string, { kmsKey, tags = {}, description }: WriteSettings) {
    const command = new CreateSecretCommand({
      Name: name,
      SecretString: value,
      ClientRequestToken: randomUUID(),
      KmsKeyId: kmsKey,
      Description: description,
      Tags: tagList(tags),
    });
    return client.send(command).catch((error: unknown) => {
      if (nameOf(error) === 'ResourceExistsException') return undefined;
      return fail('CreateSecret')(error);
    });
  }

  async function update(value: string, settings: WriteSettings): Promise<Written> {
    const { kmsKey, tags = {} } = settings;
    const about = await client
      .send(new DescribeSecretCommand({ SecretId: name }))
      .catch(fail('DescribeSecret'));
    // Where there was nothing to read, there may be a version without a value.
    const replaces = settings.replaces ?? ((await read()) === undefined ? currentOf(about) : undefined);
    // Looked at before anything of it is changed; what comes meanwhile is found out below.
    if (currentOf(about) !== replaces) throw changedMeanwhile(shown);
    if (kmsKey !== undefined && kmsKey !== about.KmsKeyId)
      await client
        .send(new UpdateSecretCommand({ SecretId: name, KmsKeyId: kmsKey }))
        .catch(fail('UpdateSecret'));
    if (Object.keys(tags).length > 0)
      await client
        .send(new TagResourceCommand({ SecretId: name, Tags: tagList(tags) }))
        .catch(fail('TagResource'));
    const version = replaces === undefined ? await fill(value) : await replace(value, replaces);
    return { created: false, version, arn: about.ARN!, ...customerKey(kmsKey ?? about.KmsKeyId) };
  }

  /** The first version of a secret takes the label by itself. */
  async function fill(value: string): Promise<string> {
    const command = new PutSecretValueCommand({
      SecretId: name,
      SecretString: value,
      ClientRequestToken: randomUUID(),
    });
    return (await client.send(command).catch(fail('PutSecretValue'))).VersionId!;
  }

  async function replace(value: string, replaces: string): Promise<string> {
    const SecretId = name;
    const token = randomUUID();
    const put = { SecretId, SecretString: value, ClientRequestToken: token, VersionStages: [NEXT] };
    await client.send(new PutSecretValueCommand(put)).catch(fail('PutSecretValue'));
    const label = (VersionStage: string, ids: { MoveToVersionId?: string; RemoveFromVersionId?: string }) =>
      client.send(new UpdateSecretVersionStageCommand({ SecretId, VersionStage, ...ids }));
    try {
      await label(CURRENT, { MoveToVersionId: token, RemoveFromVersionId: replaces });
    } catch (error) {
      const now = await read().catch(() => undefined);
      // A request that was repeated finds its own work done.
      if (now?.version !== token) {
        await label(NEXT, { RemoveFromVersionId: token }).catch(() => undefined);
        if (now !== undefined && now.version !== replaces) throw changedMeanwhile(shown);
        return fail('UpdateSecretVersionStage')(error);
      }
    }
    await label(NEXT, { RemoveFromVersionId: token }).catch(() => undefined);
    return token;
  }

  return {
    read,
    about,
    assertFits: (bytes) => assertFits(bytes, shown),
    async write(bytes, settings) {
      assertFits(bytes, shown);
      const value = bytes.toString('utf8');
      if (settings.replaces === undefined && name.startsWith('arn:')) await about();
      else if (settings.replaces === undefined) {
        const made = await create(value, settings);
        if (made !== undefined)
          return { created: true, version: made.VersionId!, arn: made.ARN!, ...customerKey(settings.kmsKey) };
        // A request that was repeated finds its own work done.
        const there = await read();
        if (there?.bytes.reveal().equals(bytes) === true)
          return { created: true, version: there.version, arn: there.arn!, ...customerKey(settings.kmsKey) };
      }
      return update(value, settings);
    },
    close: () => client.destroy(),
  };
}

const currentOf = ({ VersionIdsToStages = {} }: DescribeSecretCommandOutput): string | undefined =>
  Object.entries(VersionIdsToStages).find(([, stages]) => stages.includes(CURRENT))?.[0];

/** AWS's own key needs no right of its own. */
const customerKey = (key: string | undefined): { kmsKey?: string } =>
  key === undefined || /(^|:)alias\/aws\//.test(key) ? {} : { kmsKey: key };

const tagList = (tags: Readonly<Record<string, string>>) =>
  Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));

function assertFits(bytes: Buffer, shown: string): void {
  if (bytes.length <= MAX_BYTES) return;
  throw new SealdropError(
    'too_large',
    `${shown} can hold ${MAX_BYTES} bytes, the key set has ${bytes.length}`,
    {
      hint: 'keep the older retired keys in a second set; both open, with --private-key or --key-set',
    },
  );
}
