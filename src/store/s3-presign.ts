/** URLs that let whoever has them read one object, signed with credentials that never leave this process. */
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { connect, type ClientOptions } from './s3-client.js';

export interface PresignRequest {
  readonly bucket: string;
  readonly key: string;
  readonly expiresSeconds: number;
}

/** Nothing is sent: a URL for an object that is not there is answered with 404 by the store. */
export function openPresigner(options: ClientOptions): (request: PresignRequest) => Promise<string> {
  let connected: ReturnType<typeof connect> | undefined;
  return async ({ bucket, key, expiresSeconds }) => {
    const { client } = await (connected ??= connect(options));
    const command = new GetObjectCommand({ Bucket: bucket, Key: key });
    return getSignedUrl(client, command, { expiresIn: expiresSeconds });
  };
}
