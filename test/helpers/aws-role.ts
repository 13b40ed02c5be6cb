/** The credentials of a deployed function's role, by the one way that its trust policy has: Lambda gives them to its code. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateFunctionCommand,
  DeleteFunctionCommand,
  GetFunctionConfigurationCommand,
  InvokeCommand,
} from '@aws-sdk/client-lambda';
import type { Aws, Credentials } from './aws-server.js';
import { run } from './run.js';

const TELL = `export const handler = async () => ({
  accessKeyId: process.env.AWS_ACCESS_KEY_ID,
  secretAccessKey: process.env.AWS_SECRET_ACCESS_KEY,
  sessionToken: process.env.AWS_SESSION_TOKEN,
});`;

/** A second function with the role of the first, which tells what it was given. */
export async function roleCredentials({ lambda }: Aws, functionName: string): Promise<Credentials> {
  const command = new GetFunctionConfigurationCommand({ FunctionName: functionName });
  const { Role } = await lambda.send(command);
  const FunctionName = `probe-${Date.now()}`;
  const shape = { Runtime: 'nodejs22.x', Handler: 'index.handler' } as const;
  await lambda.send(
    new CreateFunctionCommand({ FunctionName, Role, ...shape, Code: { ZipFile: await zipped(TELL) } }),
  );
  try {
    const { Payload = [] } = await lambda.send(new InvokeCommand({ FunctionName }));
    return JSON.parse(Buffer.from(Payload).toString()) as Credentials;
  } finally {
    await lambda.send(new DeleteFunctionCommand({ FunctionName }));
  }
}

async function zipped(code: string): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), 'sealdrop-probe-'));
  try {
    writeFileSync(join(folder, 'index.mjs'), code);
    await run('python3', ['-m', 'zipfile', '-c', 'code.zip', 'index.mjs'], { cwd: folder });
    return readFileSync(join(folder, 'code.zip'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
