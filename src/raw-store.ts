/** A store as it answers: for looking into what it does, where `ObjectStore` hides it. */
import type { StoreTraits } from './store-traits.js';

export interface RawRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  /** Of the bucket itself where it is left out. */
  readonly key?: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Characters beyond ASCII go out as UTF-8. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

export interface RawAnswer {
  readonly status: number;
  /** Lower-case names; values as bytes came, one character each. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface RawStore {
  readonly bucket: string;
  readonly url: URL;
  /** Run by AWS. */
  readonly aws: boolean;
  /** What is set for it, by hand and by its provider. */
  readonly traits: StoreTraits;
  /** PEM of the authorities that its connections trust, where they are others than the public ones. */
  readonly authorities: readonly string[] | undefined;
  /**
   * Sends one signed request. What says that the store is busy is tried again; everything else is an answer.
   * @throws SealdropError `endpoint_unreachable`, `credentials_missing`, `interrupted`
   */
  send(request: RawRequest, signal?: AbortSignal): Promise<RawAnswer>;
  close(): void;
}
