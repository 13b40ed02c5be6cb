/**
 * A parameter of AWS Systems Manager: text that many may read, so for public halves alone. It has no conditional write;
 * versions are counted, so one that came in between is seen, if too late to keep it from being replaced.
 */
import { GetParameterCommand, PutParameterCommand, type SSMClient } from '@aws-sdk/client-ssm';
import { SealdropError } from '../errors.js';
import { printable } from '../printable.js';
import { Secret } from '../secret.js';
import type { Kept, KeptValue } from '../kept.js';
import { changedMeanwhile, isMissing, nameOf, serviceError } from './service-errors.js';

/** Of an advanced parameter; a standard one has half of it. */
const MAX_BYTES = 8192;

export function keptParameter(client: SSMClient, name: string): KeptValue {
  const shown = `ssm:${printable(name)}`;
  const fail = (action: string) => (error: unknown) => {
    throw serviceError(error, shown, `ssm:${action}`);
  };

  async function read(): Promise<Kept | undefined> {
    const command = new GetParameterCommand({ Name: name, WithDecryption: true });
    const answer = await client
      .send(command)
      .catch((error: unknown) => (isMissing(error) ? undefined : fail('GetParameter')(error)));
    const { Value: value, Version: version, ARN: arn } = answer?.Parameter ?? {};
    if (value === undefined) return undefined;
    return {
      bytes: new Secret(Buffer.from(value)),
      version: String(version),
      ...(arn !== undefined && { arn }),
    };
  }

  function assertFits({ length }: Buffer): void {
    if (length <= MAX_BYTES) return;
    throw new SealdropError('too_large', `${shown} can hold ${MAX_BYTES} bytes, the key set has ${length}`, {
      hint: 'remove retired keys from the public set, or use a secret: secretsmanager:NAME',
    });
  }

  return {
    read,
    assertFits,
    async write(bytes, { replaces, kmsKey, tags = {}, description }) {
      if (kmsKey !== undefined)
        throw new SealdropError('usage', `${shown} is not encrypted: leave --kms-key out`);
      assertFits(bytes);
      const before = await read();
      if (before?.version !== replaces) throw changedMeanwhile(shown);
      const command = new PutParameterCommand({
        Name: name,
        Value: bytes.toString('utf8'),
        Type: 'String',
        // One that outgrows the standard tier becomes an advanced one.
        Tier: 'Intelligent-Tiering',
        Overwrite: before !== undefined,
        Description: description,
        // Not taken where a value is replaced.
        ...(before === undefined && { Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })) }),
      });
      const { Version: version } = await client.send(command).catch((error: unknown) => {
        if (nameOf(error) === 'ParameterAlreadyExists') throw changedMeanwhile(shown);
        return fail('PutParameter')(error);
      });
      if (version !== Number(replaces ?? 0) + 1)
        throw new SealdropError('precondition_failed', `${shown} was written by somebody else as well`, {
          hint: `version ${Number(version) - 1} of it was replaced: see aws ssm get-parameter-history`,
        });
      const arn = before?.arn ?? (await read())?.arn ?? name;
      return { created: before === undefined, version: String(version), arn };
    },
    close: () => client.destroy(),
  };
}
