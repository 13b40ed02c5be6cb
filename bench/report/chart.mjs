// Charts as SVG, the same figures always the same bytes. Colours fit a light page and a dark one.
const WIDTH = 720;
const MARGIN = 16;
const STYLE = `<style>
.page { fill: #ffffff } .text { fill: #1f2328 } .faint { fill: #59636e } .grid { stroke: #d1d9e0 }
.a { fill: #0969da; stroke: #0969da } .b { fill: #8c959f; stroke: #8c959f } .c { fill: #bc4c00; stroke: #bc4c00 } .d { fill: #1a7f37; stroke: #1a7f37 }
.line { fill: none; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
.page { fill: #0d1117 } .text { fill: #f0f6fc } .faint { fill: #9198a1 } .grid { stroke: #3d444d }
.a { fill: #4493f8; stroke: #4493f8 } .b { fill: #7d8590; stroke: #7d8590 } .c { fill: #db6d28; stroke: #db6d28 } .d { fill: #3fb950; stroke: #3fb950 } .line { fill: none }
}
text { font: 13px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif }
</style>`;

const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
const place = (number) => Number(number.toFixed(1));

function page(title, height, parts) {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escape(title)}">`,
    STYLE,
    `<rect class="page" width="100%" height="100%" rx="8"/>`,
    text(MARGIN, 28, title, 'text', 'font-weight="600"'),
    ...parts,
    '</svg>\n',
  ].join('\n');
}

function text(x, y, content, kind = 'text', more = '') {
  return `<text class="${kind}" x="${place(x)}" y="${place(y)}" ${more}>${escape(content)}</text>`;
}

/** @param groups each `name` and `bars`, of `label`, `value` and `own` (ours, which stand out) */
export function barChart(title, groups, format) {
  const [left, right, row] = [190, 90, 24];
  const most = Math.max(...groups.flatMap(({ bars }) => bars.map(({ value }) => value)));
  const parts = [];
  let y = 44;
  for (const { name, bars } of groups) {
    if (name !== undefined) parts.push(text(MARGIN, (y += 20), name, 'faint'));
    y += 8;
    for (const { label, value, own } of bars) {
      const width = (value / most) * (WIDTH - left - right);
      parts.push(
        text(left - 10, y + 15, label, 'text', 'text-anchor="end"'),
        `<rect class="${own ? 'a' : 'b'}" x="${left}" y="${y + 2}" width="${place(width)}" height="${row - 6}" rx="2"/>`,
        text(left + width + 8, y + 15, format(value)),
      );
      y += row;
    }
  }
  return page(title, y + MARGIN, parts);
}

/** @param series each `label` and `points` of [x from 0 to 1, y] */
export function lineChart(title, series, { format, most, foot }) {
  const [left, right, top, height] = [70, 20, 48, 220];
  const x = (share) => left + share * (WIDTH - left - right);
  const y = (value) => top + height - (value / most) * height;
  const steps = [0, 0.25, 0.5, 0.75, 1].map((share) => share * most);
  const parts = steps.flatMap((value) => [
    `<line class="grid" x1="${left}" x2="${WIDTH - right}" y1="${place(y(value))}" y2="${place(y(value))}"/>`,
    text(left - 8, y(value) + 4, format(value), 'faint', 'text-anchor="end"'),
  ]);
  const kinds = ['a', 'b', 'c', 'd'];
  series.forEach(({ label, points }, i) => {
    const path = points
      .map(([px, py], n) => `${n === 0 ? 'M' : 'L'}${place(x(px))} ${place(y(py))}`)
      .join('');
    const below = top + height + 26 + 20 * Math.floor(i / 2);
    const beside = left + (i % 2) * 320;
    parts.push(
      `<path class="line ${kinds[i % 4]}" style="fill:none" d="${path}"/>`,
      `<rect class="${kinds[i % 4]}" x="${beside}" y="${below - 9}" width="14" height="4"/>`,
      text(beside + 22, below - 2, label),
    );
  });
  const end = top + height + 26 + 20 * Math.ceil(series.length / 2);
  return page(title, end + 20, [...parts, text(left, end + 4, foot, 'faint')]);
}
