/** Makes frames under the message's key. */
export interface BodyWriter {
  frame(sequence: number, content: Uint8Array): Buffer;
  final(sequence: number, content: Uint8Array): Buffer;
  /** An unframed body. */
  block(content: Uint8Array, claimedLength?: number): Buffer;
}

export interface CraftOptions {
  pairs: ReadonlyArray<readonly [string | Uint8Array, string | Uint8Array]>;
  recipients: ReadonlyArray<{ namespace: string; name: string; publicKey: string | Buffer }>;
  frameLength: number;
  contentType?: number;
  /** Instead of the right one. */
  commitment?: Uint8Array;
  body: (writer: BodyWriter) => Uint8Array;
}

/** A message of suite 0x0478, made without the AWS Encryption SDK. */
export function craft(options: CraftOptions): Buffer;
