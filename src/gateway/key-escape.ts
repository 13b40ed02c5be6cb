/**
 * Keys that stores would alias or refuse, written so that they don't, and back. Where a key needs no escape, only its
 * percent signs change.
 *
 *     %25         a percent sign
 *     %2E %2E%2E  a segment `.` or `..`
 *     %-          an empty segment
 *     %00         the character NUL
 *     %+          at the end of a segment: it goes on in the next one (S3 keys have segments over 255 bytes)
 */
const MAX_SEGMENT_BYTES = 255;
const EMPTY = '%-';
const GOES_ON = '%+';

export function escapeKey(key: string): string {
  return key.split('/').map(escapeSegment).join('/');
}

function escapeSegment(segment: string): string {
  if (segment === '') return EMPTY;
  const units = Array.from(segment, (character) =>
    character === '%' ? '%25' : character === '\0' ? '%00' : character,
  );
  return cut(units).map(escapeDots).join(`${GOES_ON}/`);
}

const escapeDots = (segment: string): string =>
  segment === '.' || segment === '..' ? segment.replaceAll('.', '%2E') : segment;

/** Units put together to pieces that fit, with room for the sign that they go on. */
function cut(units: readonly string[]): string[] {
  const whole = units.join('');
  if (Buffer.byteLength(whole) <= MAX_SEGMENT_BYTES) return [whole];
  const pieces = [''];
  let bytes = 0;
  for (const unit of units) {
    const more = Buffer.byteLength(unit);
    if (bytes + more > MAX_SEGMENT_BYTES - GOES_ON.length) {
      pieces.push('');
      bytes = 0;
    }
    pieces[pieces.length - 1] += unit;
    bytes += more;
  }
  return pieces;
}

/** The key that `escapeKey` was given. What it has not written comes out in some way. */
export function unescapeKey(escaped: string): string {
  return escaped
    .replaceAll(`${GOES_ON}/`, '')
    .split('/')
    .map((segment) =>
      segment === EMPTY
        ? ''
        : segment.replace(/%(25|2E|00)/g, (_, code: string) => String.fromCharCode(parseInt(code, 16))),
    )
    .join('/');
}
