/** Functions on ministack, which runs them as processes of this machine. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateFunctionCommand, LambdaClient } from '@aws-sdk/client-lambda';
import type { S3Server } from './servers.js';

/** Makes a function of one file of Node. @returns its ARN */
export async function makeFunction(
  { endpoint, region, credentials }: S3Server,
  name: string,
  source: string,
  environment: Record<string, string> = {},
): Promise<string> {
  const client = new LambdaClient({ endpoint, region, credentials });
  try {
    const { FunctionArn } = await client.send(
      new CreateFunctionCommand({
        FunctionName: name,
        Runtime: 'nodejs20.x',
        Handler: 'index.handler',
        Role: 'arn:aws:iam::000000000000:role/any',
        Code: { ZipFile: zipped('index.mjs', source) },
        Timeout: 30,
        Environment: { Variables: environment },
      }),
    );
    return FunctionArn!;
  } finally {
    client.destroy();
  }
}

function zipped(name: string, source: string): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'sealdrop-function-'));
  try {
    writeFileSync(join(folder, name), source);
    const { status } = spawnSync('python3', ['-m', 'zipfile', '-c', 'code.zip', name], { cwd: folder });
    if (status !== 0) throw new Error('python3 -m zipfile failed');
    return readFileSync(join(folder, 'code.zip'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
