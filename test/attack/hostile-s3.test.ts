/** An S3 server that answers without end. */
import { afterEach, expect, test } from '@jest/globals';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { ObjectStore } from '../../src/ports.js';
import { openS3Store } from '../../src/store/s3.js';
import { Secret } from '../../src/secret.js';
import { readInstruction } from '../../src/transfer/instruction-file.js';

const XML = '<?xml version="1.0" encoding="UTF-8"?>';
let server: Server;
let store: ObjectStore;

async function against(answer: RequestListener): Promise<ObjectStore> {
  server = createServer((request, response) => {
    request.resume().on('end', () => void answer(request, response));
  });
  await new Promise<void>((up) => server.listen(0, '127.0.0.1', up));
  const { port } = server.address() as { port: number };
  const credentials = new Secret({ accessKeyId: 'id', secretAccessKey: 'secret' });
  store = openS3Store({ bucket: 'b', endpoint: `http://127.0.0.1:${port}`, credentials });
  return store;
}
afterEach(() => {
  store.close();
  server.closeAllConnections();
  server.close();
});

test.each([200, 403])(
  'an answer of %d whose XML does not end is broken off',
  async (status) => {
    const piece = 'A'.repeat(1024 * 1024);
    let sent = 0;
    const hostile = await against((_request, response) => {
      response.writeHead(status, { 'content-type': 'application/xml' });
      response.write(`${XML}<ListBucketResult><Name>`);
      const more = () => {
        while (!response.destroyed && sent < 48) {
          sent++;
          if (!response.write(piece)) return;
        }
        response.end();
      };
      response.on('drain', more);
      more();
    });
    const listing = hostile.list('')[Symbol.asyncIterator]();
    await expect(listing.next()).rejects.toMatchObject({ name: 'SealdropError' });
    expect(sent).toBeLessThan(32);
  },
  60_000,
);

test('a list of unfinished uploads without end does not hold up a put', async () => {
  let requests = 0;
  const hostile = await against((_request, response) => {
    // Broken off by the test after so many; a store would go on.
    const goesOn = ++requests < 2_000;
    response.writeHead(200, { 'content-type': 'application/xml' });
    response.end(
      `${XML}<ListMultipartUploadsResult><IsTruncated>${goesOn}</IsTruncated><NextKeyMarker>k</NextKeyMarker>` +
        '<NextUploadIdMarker>same</NextUploadIdMarker></ListMultipartUploadsResult>',
    );
  });
  await hostile.unfinished('k').catch(() => []);
  expect(requests).toBeLessThan(100);
}, 60_000);

test('an instruction file of 5 GiB is broken off', async () => {
  const piece = Buffer.alloc(64 * 1024);
  let sent = 0;
  const hostile = await against((_request, response) => {
    response.writeHead(200, { 'content-length': 5 * 1024 ** 3, etag: '"e"' });
    const more = () => {
      while (!response.destroyed && response.write(piece)) sent += piece.length;
    };
    response.on('drain', more);
    more();
  });
  await expect(readInstruction(hostile, 'k')).rejects.toMatchObject({ code: 'instruction_file' });
  expect(sent).toBeLessThan(64 * 1024 * 1024);
}, 60_000);
