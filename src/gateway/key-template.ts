/** From a source key to a vault key. */
import type { InboxSettings } from '../contract.js';
import { SealdropError } from '../errors.js';
import { printable } from '../printable.js';
import { assertStorableKey } from '../vault-key.js';
import { escapeKey } from './key-escape.js';

type TemplateSettings = Pick<InboxSettings, 'bucket' | 'prefix' | 'template' | 'encode'>;

const PLACEHOLDER = /\{([^{}]*)\}/g;
const KNOWN = ['key', 'rest', 'bucket'];

/** @throws SealdropError `usage` for a template that would put all objects under one key, or names something else */
export function assertTemplate(template: string): void {
  const names = [...template.matchAll(PLACEHOLDER)].map(([, name]) => name!);
  const unknown = names.find((name) => !KNOWN.includes(name));
  if (unknown !== undefined)
    throw new SealdropError(
      'usage',
      `the template ${printable(template)} has an unknown {${printable(unknown)}}`,
      {
        hint: 'there are {key}, {rest} and {bucket}',
      },
    );
  if (!names.includes('key') && !names.includes('rest'))
    throw new SealdropError('usage', `the template ${printable(template)} has neither {key} nor {rest}`, {
      hint: 'all objects would overwrite each other under one key',
    });
}

/**
 * The key in the vault, its prefix included.
 * @throws SealdropError `key_not_storable`
 */
export function vaultKeyOf(inbox: TemplateSettings, vaultPrefix: string, key: string): string {
  const text = fill(inbox, key);
  const vaultKey = vaultPrefix + (inbox.encode ? escapeKey(text) : text);
  assertStorableKey(vaultKey);
  return vaultKey;
}

/** What every vault key of an inbox begins with, below the vault's prefix and before anything is escaped. */
export function headOf(inbox: TemplateSettings): string {
  const head = inbox.template.split(/\{(?:key|rest)\}/, 1)[0]!;
  const follows = inbox.template.slice(head.length, head.length + '{key}'.length);
  return fill({ ...inbox, template: head }, '') + (follows === '{key}' ? inbox.prefix : '');
}

/** The same as it is written. How a segment is escaped that a key goes on with, nobody knows before: whole ones count. */
export function writtenHeadOf(inbox: TemplateSettings): string {
  const head = headOf(inbox);
  if (!inbox.encode) return head;
  const end = head.lastIndexOf('/');
  return end < 0 ? '' : `${escapeKey(head.slice(0, end))}/`;
}

function fill({ bucket, prefix, template }: TemplateSettings, key: string): string {
  const values: Record<string, string> = { key, rest: key.slice(prefix.length), bucket };
  return template.replace(PLACEHOLDER, (_, name: string) => values[name] ?? '');
}
