/** Clients of a deployed HTTP API: as a role of the account, or as nobody. */
import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { CreateRoleCommand, PutRolePolicyCommand } from '@aws-sdk/client-iam';
import { AssumeRoleCommand } from '@aws-sdk/client-sts';
import { SignatureV4 } from '@smithy/signature-v4';
import type { WalkAnswer, WalkRequest } from './api-walk.js';
import type { Gateway } from './aws-gateway.js';
import type { Credentials } from './aws-server.js';

/** Credentials of a new role that anybody of the account may take. */
export async function newRole({ aws }: Gateway, name: string, policy: object[]): Promise<Credentials> {
  const trust = [
    { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { AWS: 'arn:aws:iam::000000000000:root' } },
  ];
  const document = (Statement: object[]) => JSON.stringify({ Version: '2012-10-17', Statement });
  const { Role } = await aws.iam.send(
    new CreateRoleCommand({ RoleName: name, AssumeRolePolicyDocument: document(trust) }),
  );
  if (policy.length > 0)
    await aws.iam.send(
      new PutRolePolicyCommand({ RoleName: name, PolicyName: 'api', PolicyDocument: document(policy) }),
    );
  const { Credentials: given } = await aws.sts.send(
    new AssumeRoleCommand({ RoleArn: Role!.Arn, RoleSessionName: 'anything' }),
  );
  return {
    accessKeyId: given!.AccessKeyId!,
    secretAccessKey: given!.SecretAccessKey!,
    sessionToken: given!.SessionToken!,
  };
}

/** Signs and sends. Without credentials it only sends. */
export async function callApi(
  { aws, outputs }: Gateway,
  { method, path, headers = {}, body }: WalkRequest,
  credentials?: Credentials,
): Promise<WalkAnswer> {
  // Its name isn't known to this machine: it is sent to the server, with the name as Host.
  const { host } = new URL(outputs.ApiUrl!);
  const [pathname = '', query = ''] = path.split('?');
  const unsigned = {
    ...{ method, protocol: 'https:', hostname: host, path: pathname, body },
    query: Object.fromEntries(new URLSearchParams(query)),
    headers: { ...headers, host },
  };
  const sent: { headers: Record<string, string> } =
    credentials === undefined ? unsigned : await signerFor(aws.region, credentials).sign(unsigned);
  const { hostname, port } = new URL(aws.endpoint);
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const options = { ...{ hostname, port, method, path }, headers: sent.headers, ca: trusted(aws.caBundle) };
    httpsRequest({ ...options, servername: 'localhost', timeout: 60_000 }, resolve)
      .on('error', reject)
      .end(body);
  });
  return { status: answer.statusCode!, headers: answer.headers as never, body: await bodyOf(answer) };
}

const signerFor = (region: string, credentials: Credentials) =>
  new SignatureV4({ service: 'execute-api', region, credentials, sha256: Sha256 });

/** `fetch` that trusts a local server's certificate. */
export function fetchTrusting(caBundle: string): typeof fetch {
  return async (input, init) => {
    const asked = new Request(input, init);
    const url = new URL(asked.url);
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const body = Buffer.from(await asked.arrayBuffer());
    const headers = { ...Object.fromEntries(asked.headers), 'content-length': body.length };
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      send(url, { method: asked.method, headers, ca: trusted(caBundle) }, resolve)
        .on('error', reject)
        .end(body);
    });
    const status = answer.statusCode!;
    return new Response(status === 204 ? null : new Uint8Array(await bodyOf(answer)), { status });
  };
}

const trusted = (caBundle: string): string => readFileSync(caBundle, 'utf8');

async function bodyOf(answer: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of answer) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

/** As the signer wants it. */
class Sha256 {
  readonly #hash;
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret as string);
  }
  update(data: Uint8Array): void {
    this.#hash.update(data);
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
  reset(): void {}
}
