import type { Secret } from './secret.js';

/** What is kept somewhere, and the version of it. */
export interface Kept {
  readonly bytes: Secret<Buffer>;
  /** What a later write says that it replaces. */
  readonly version: string;
  readonly arn?: string;
}

/** What is known of a place besides its value. */
export interface KeptAbout {
  readonly arn: string;
  readonly tags: Readonly<Record<string, string>>;
}

export interface WriteSettings {
  /** The version that is replaced; undefined where there was none. */
  readonly replaces: string | undefined;
  /** A key of AWS KMS to encrypt the secret with; default: what it has, or `aws/secretsmanager`. */
  readonly kmsKey?: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly description?: string;
  /** Whether others must not read it: a file's permissions. */
  readonly isPrivate?: boolean;
}

export interface Written {
  readonly created: boolean;
  readonly version: string;
  readonly arn: string;
  /** The customer's key that it is encrypted with, where it is one. */
  readonly kmsKey?: string;
}

/** A value under a name, which is replaced only by whoever has read what it replaces. */
export interface KeptValue {
  /**
   * Undefined where it does not exist, or has no value yet.
   * @throws SealdropError `access_denied`, `secrets_unavailable` (retryable), `secret_missing` (about to be deleted)
   */
  read(): Promise<Kept | undefined>;
  /**
   * Also where it has no value. Undefined where there is no such place, or nothing of it can be told.
   * @throws SealdropError `secret_missing` where it could not be made by what it is called; as `read`
   */
  about?(): Promise<KeptAbout | undefined>;
  /** @throws SealdropError `too_large` */
  readonly assertFits?: (bytes: Buffer) => void;
  /**
   * All of it or nothing.
   * @throws SealdropError `precondition_failed` where somebody else has written meanwhile, `too_large`; as `read`
   */
  write(bytes: Buffer, settings: WriteSettings): Promise<Written>;
  close(): void;
}
