// Control characters, bidirectional controls and invisible separators: what lets a name rewrite a terminal's line.
const UNPRINTABLE =
  /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\u200b-\u200f\u2060-\u2064\ufeff\u{e0000}-\u{e007f}]|\p{Cs}/gu;

/** A name as it may be shown on a terminal: what could move the cursor or reorder the line is escaped. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (c) => `\\u{${c.codePointAt(0)!.toString(16)}}`);
}

/** A word of a command line to be pasted into a shell; what could do harm on a terminal is escaped before. */
export function shellQuoted(word: string): string {
  const shown = printable(word);
  return /^[\w@%+=:,./-]+$/.test(shown) ? shown : `'${shown.replaceAll("'", `'\\''`)}'`;
}

/** Printable JSON, in its own escapes: the values stay what they are. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value).replace(UNPRINTABLE, (c) =>
    Array.from({ length: c.length }, (_, i) => `\\u${c.charCodeAt(i).toString(16).padStart(4, '0')}`).join(
      '',
    ),
  );
}
