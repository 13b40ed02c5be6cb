/** Where the fields of a message begin and end, read by the specification's data-format pages and nothing of ours. */
export function layout(message) {
  const at = {};
  let position = 0;
  const field = (name, length) => {
    at[name] = { begin: position, end: position + length };
    position += length;
  };
  const u16 = () => message.readUInt16BE(position);
  const counted = (name) => {
    const length = u16();
    field(`${name} length`, 2);
    field(name, length);
  };
  const v1 = message[0] === 1;
  field('version', 1);
  if (v1) field('type', 1);
  const signed = [0x0214, 0x0346, 0x0378, 0x0578].includes(u16());
  field('suite', 2);
  field('message id', v1 ? 16 : 32);
  counted('context');
  const keys = u16();
  field('wrapped key count', 2);
  for (let i = 1; i <= keys; i++)
    for (const part of ['namespace', 'name', 'bytes']) counted(`wrapped key ${i} ${part}`);
  field('content type', 1);
  if (v1) field('reserved', 4);
  if (v1) field('iv length', 1);
  const frameLength = message.readUInt32BE(position);
  field('frame length', 4);
  if (!v1) field('commitment', 32);
  if (v1) field('header iv', 12);
  field('header tag', 16);
  at.header = { begin: 0, end: position };
  for (let i = 1; ; i++) {
    const begin = position;
    const final = message.readUInt32BE(position) === 0xffffffff;
    const frame = final ? 'final' : `frame ${i}`;
    if (final) field('final mark', 4);
    field(`${frame} sequence`, 4);
    field(`${frame} iv`, 12);
    const length = final ? message.readUInt32BE(position) : frameLength;
    if (final) field('final length', 4);
    field(`${frame} content`, length);
    field(`${frame} tag`, 16);
    at[frame] = { begin, end: position };
    if (final) break;
  }
  if (signed && position < message.length) counted('signature');
  at.message = { begin: 0, end: position };
  return at;
}
