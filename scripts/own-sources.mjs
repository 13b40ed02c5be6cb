// Source maps without what comes from packages: Node reads the maps when it loads the code (--enable-source-maps), and
// packages are four fifths of them. https://tc39.es/ecma426/#sec-mappings

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const VALUES = new Map([...DIGITS].map((digit, value) => [digit, value]));

/** Base64 VLQ: five bits a digit, the least first; the lowest of all is the sign. */
function decode(segment) {
  const fields = [];
  let value = 0;
  let shift = 0;
  for (const digit of segment) {
    const bits = VALUES.get(digit);
    value |= (bits & 31) << shift;
    shift += 5;
    if (bits & 32) continue;
    fields.push(value & 1 ? -(value >>> 1) : value >>> 1);
    value = shift = 0;
  }
  return fields;
}

function encode(field) {
  let rest = field < 0 ? (-field << 1) | 1 : field << 1;
  let digits = '';
  do {
    const more = rest > 31;
    digits += DIGITS[(rest & 31) | (more ? 32 : 0)];
    rest >>>= 5;
  } while (rest > 0);
  return digits;
}

/** @returns the map, of those places alone whose source `isOwn`; names are left out */
export function ownSources(map, isOwn) {
  const kept = map.sources.map((source) => isOwn(source));
  const places = kept.map((own, i) => kept.slice(0, i).filter(Boolean).length);
  const read = { source: 0, line: 0, column: 0 };
  const written = { source: 0, line: 0, column: 0 };
  // From one line to the next: what is found at a place is what stands last before it.
  let wasOwn = false;
  const lineOf = (line) => {
    let at = 0;
    let last = 0;
    const segments = [];
    for (const segment of line === '' ? [] : line.split(',')) {
      const fields = decode(segment);
      const [generated, source = 0, originalLine = 0, column = 0] = fields;
      at += generated;
      read.source += source;
      read.line += originalLine;
      read.column += column;
      const isOwnPlace = fields.length > 1 && kept[read.source];
      // One place without a source ends what was ours.
      if (!isOwnPlace && !wasOwn) continue;
      const now = { source: places[read.source], line: read.line, column: read.column };
      const moved = isOwnPlace ? Object.keys(now).map((key) => now[key] - written[key]) : [];
      segments.push([at - last, ...moved].map(encode).join(''));
      if (isOwnPlace) Object.assign(written, now);
      last = at;
      wasOwn = isOwnPlace;
    }
    return segments.join(',');
  };
  const mappings = map.mappings.split(';').map(lineOf).join(';');
  return { ...map, sources: map.sources.filter((_, i) => kept[i]), names: [], mappings };
}
