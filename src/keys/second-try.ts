/**
 * Node 24 takes an error that some other operation has left in OpenSSL's queue for its own when it reads a key. The failure
 * empties the queue, so that a second try tells what is with the key.
 */
export function withSecondTry<T>(read: () => T): T {
  try {
    return read();
  } catch {
    return read();
  }
}
