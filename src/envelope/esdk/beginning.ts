/** How a message begins. Source: AWS Encryption SDK specification, data-format/message-header.md. */
import { suiteById } from './suites.js';

export const LOOKED_AT = 4;

/** Version 1: version, type, suite. Version 2: version, suite, and a message id. */
export function beginsAsMessage(start: Uint8Array): boolean {
  const [version, second = 0, third = 0, fourth = 0] = start;
  const id = version === 1 && second === 0x80 ? (third << 8) | fourth : (second << 8) | third;
  return version !== undefined && suiteById(id)?.messageVersion === version;
}
