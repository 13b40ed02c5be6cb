/**
 * Keeps back what must not be seen before its last check: in a file without a name, that nobody else can open and that is
 * gone whatever happens to this process.
 */
import { randomBytes } from 'node:crypto';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SealdropError, systemCode } from '../errors.js';
import { printable } from '../printable.js';
import { WriteBehind } from '../write-behind.js';
import type { Target } from './target.js';

const PIECE = 1024 * 1024;

/** @returns a target that hands all on to `target` when it is committed, and nothing before */
export function spooled(target: Target): Target {
  let file: FileHandle | undefined;
  let content: WriteBehind | undefined;
  let size = 0;
  const close = async () => {
    const handle = file;
    file = undefined;
    await handle?.close();
  };
  return {
    held: true,
    copies: true,
    async write(bytes) {
      file ??= await openNameless();
      content ??= new WriteBehind(file);
      try {
        await content.write(bytes);
      } catch (cause) {
        throw notKept(cause);
      }
      size += bytes.length;
    },
    async commit(attributes) {
      await content?.end().catch((cause: unknown) => {
        throw notKept(cause);
      });
      const buffer = Buffer.allocUnsafe(Math.min(PIECE, size));
      for (let at = 0; at < size;) {
        const { bytesRead } = await file!.read(buffer, 0, buffer.length, at);
        if (bytesRead === 0) throw notKept(new Error('the temporary file was cut'));
        await target.write(buffer.subarray(0, bytesRead));
        at += bytesRead;
      }
      await close();
      await target.commit(attributes);
    },
    async discard() {
      await close().catch(() => undefined);
      await target.discard();
    },
  };
}

async function openNameless(): Promise<FileHandle> {
  const path = join(tmpdir(), `.sealdrop-${randomBytes(12).toString('hex')}`);
  try {
    const handle = await open(path, 'wx+', 0o600);
    await unlink(path);
    return handle;
  } catch (cause) {
    throw notKept(cause);
  }
}

function notKept(cause: unknown): SealdropError {
  const code = systemCode(cause) ?? 'unknown error';
  const folder = printable(tmpdir());
  if (['ENOSPC', 'EDQUOT', 'EFBIG'].includes(code))
    return new SealdropError(
      'disk_full',
      `no room to keep the content until it is checked: ${folder} (${code})`,
      { cause, hint: 'get it into a file; or name a folder with more room: TMPDIR' },
    );
  return new SealdropError(
    'target_unwritable',
    `cannot keep the content in ${folder} until it is checked (${code})`,
    { cause, hint: 'get it into a file; or name another folder: TMPDIR' },
  );
}
