// Control characters, bidirectional overrides and invisible separators: what lets a name rewrite a terminal's line.
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]|\p{Cs}/gu;

/** A name as it may be shown on a terminal: what could move the cursor or reorder the line is escaped. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (c) => `\\u{${c.codePointAt(0)!.toString(16)}}`);
}
