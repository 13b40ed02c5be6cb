/** `verify --manifest` */
import type { Vault } from '../config/settings.js';
import { SealdropError } from '../errors.js';
import { printable } from '../printable.js';
import { checkManifest, type ManifestCheck } from '../transfer/check-manifest.js';
import { readManifest } from '../transfer/manifest.js';
import type { Environment } from './command.js';
import { formatBytes, type Output } from './output.js';
import { startProgress } from './progress.js';
import { outsideVaults } from './targets.js';

/** Objects read at the same time. */
const WIDTH = 4;

/** @throws SealdropError `not_as_stored` where anything is missing or another; what reading the manifest fails with */
export async function verifyManifest(
  file: string,
  vault: Vault,
  { environment, output }: { environment: Environment; output: Output },
): Promise<void> {
  const { store, key: prefix } = vault;
  const { entries, damaged } = await readManifest(file);
  const counts = { as_stored: 0, replaced: 0, missing: 0, unlisted: 0, failed: 0 };
  if (damaged > 0)
    output.warn(
      `${printable(file)} is damaged, in ${lines(damaged)}: whether what stood there is in the vault cannot be told`,
      'take that out, and store again what it named: put -r --resume --manifest finds it',
    );
  const progress = startProgress(output, printable(store.address(prefix)));
  const wanted = [...entries.values()].filter(({ key }) => key.startsWith(prefix));
  const outside = await outsideVaults(vault, environment.parts);
  if (wanted.length === 0)
    throw (
      outside ??
      new SealdropError(
        'usage',
        `${printable(file)} names nothing below ${printable(store.address(prefix))}`,
        {
          hint: 'the address is that of the vault or of a prefix in it',
        },
      )
    );
  // Whoever has deleted a vault may have deleted its marker, too: what is missing is told all the same.
  if (outside !== undefined) output.warn(outside.message, outside.hint);
  progress.total(wanted.reduce((sum, { size }) => sum + size, 0));
  let bytes = 0;
  try {
    const { signal } = environment;
    const onProgress = (read: number) => progress.done((bytes = read));
    for await (const check of checkManifest({ store, prefix, entries, width: WIDTH, signal, onProgress })) {
      counts[check.finding]++;
      say(check, store.address(check.key), output);
    }
  } finally {
    progress.stop();
  }
  const { as_stored: same, replaced, missing, unlisted, failed } = counts;
  output.result(
    { summary: { ...counts, ...(damaged > 0 && { damaged }) } },
    `${same} as stored (${formatBytes(bytes)} read), ${replaced} replaced, ${missing} missing, ${unlisted} not in the manifest` +
      (failed > 0 ? `, ${failed} not to be read` : '') +
      (damaged > 0 ? `, ${lines(damaged)} damaged` : ''),
  );
  if (replaced + missing > 0)
    throw new SealdropError(
      'not_as_stored',
      `${replaced + missing} of ${wanted.length} objects are not as they were stored`,
      {
        hint: 'somebody deleted them, or put others in their place, older ones perhaps; an own put without --manifest does so, too',
      },
    );
  if (failed + damaged > 0) environment.exitCode = 6;
}

const lines = (count: number): string => (count === 1 ? '1 line' : `${count} lines`);

function say({ key, finding, size, error }: ManifestCheck, address: string, output: Output): void {
  if (finding === 'failed') return output.error(error, { key, finding });
  if (finding === 'as_stored' && !output.json) return;
  output.result(
    { key, finding, size },
    `${finding.replace('unlisted', 'not in the manifest')}: ${printable(address)}`,
  );
}
