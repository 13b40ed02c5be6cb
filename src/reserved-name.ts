/** Names that sealdrop's own files have in the folders it writes into. */
export const RESERVED = '.sealdrop-';

/** As file systems compare that ignore case: by folding, and without the characters that are not seen. */
export const isReserved = (name: string): boolean =>
  name
    .replace(/\p{Default_Ignorable_Code_Point}/gu, '')
    .toUpperCase()
    .startsWith(RESERVED.toUpperCase());
