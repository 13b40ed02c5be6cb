/** Which encryption the store does itself. */
import { createHash, randomBytes } from 'node:crypto';
import { note, ok, type Found } from './finding.js';
import { answered, isDone, type Scratch } from './scratch.js';

const BODY = Buffer.from('sealdrop looks what the store encrypts');
const SSE = 'x-amz-server-side-encryption';

export async function checkEncryption(scratch: Scratch): Promise<Found[]> {
  const plain = await scratch.send({ method: 'PUT', key: 'sse-default', body: BODY });
  const head = await scratch.send({ method: 'HEAD', key: 'sse-default' });
  const usual = isDone(plain) ? head.headers[SSE] : undefined;
  return [
    usual === undefined
      ? note('the bucket encrypts nothing by itself, or does not say so')
      : ok(`by default: ${usual}`),
    await tryKind(scratch, 'AES256'),
    await tryKind(scratch, 'aws:kms'),
    await tryCustomerKey(scratch),
  ];
}

async function tryKind(scratch: Scratch, kind: string): Promise<Found> {
  const put = await scratch.send({ method: 'PUT', key: `sse-${kind}`, body: BODY, headers: { [SSE]: kind } });
  if (!isDone(put)) return note(`--sse ${kind}: no (${answered(put)})`);
  const head = await scratch.send({ method: 'HEAD', key: `sse-${kind}` });
  return head.headers[SSE] === kind
    ? ok(`--sse ${kind}`)
    : note(`--sse ${kind}: taken, and not said to be done`);
}

async function tryCustomerKey(scratch: Scratch): Promise<Found> {
  if (scratch.raw.url.protocol === 'http:') return note('--sse c: not over http');
  const key = randomBytes(32);
  const headers = {
    [`${SSE}-customer-algorithm`]: 'AES256',
    [`${SSE}-customer-key`]: key.toString('base64'),
    [`${SSE}-customer-key-md5`]: createHash('md5').update(key).digest('base64'),
  };
  const put = await scratch.send({ method: 'PUT', key: 'sse-c', body: BODY, headers });
  if (!isDone(put)) return note(`--sse c: no (${answered(put)})`);
  const without = await scratch.send({ method: 'GET', key: 'sse-c' });
  return isDone(without) ? note('--sse c: taken, and ignored: it opens without the key') : ok('--sse c');
}
