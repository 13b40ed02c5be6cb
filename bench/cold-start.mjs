// What the encrypting functions cost before their first event: what is loaded at start, and how long that takes in a bare
// Node process as Lambda starts it, beside a bundle of the SDK's two clients alone. Medians of runs that take turns.
// Prints a line of JSON for each, and a table.
// Usage: node bench/cold-start.mjs [runs, default 21]
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { bundleSdkAlone, loadedWith, sizeOf } from '../test/helpers/sdk-alone.mjs';

const runs = Number(process.argv[2] ?? 21);

const settings = {
  ...{ deployment: 'bench', publicKeySet: 'k', keyNames: {}, vault: { secret: 'v' }, idempotency: 'i' },
  ...{ secretsTtlSeconds: 60, inboxes: [], account: '1', after: 'keep', maxObjectBytes: 1 },
  ...{ queueUrl: 'https://sqs.test/1/q', deadLetterUrl: 'https://sqs.test/1/d' },
  principals: { kind: 'iam', prefixes: {} },
};

/** What the settings let it load, as test/unit/bundles.test.ts shows. */
const CHUNKS = {
  esdk: ['src/compose-esdk.ts'],
  'esdk, KMS': ['src/compose-esdk.ts', 'src/keys/kms/wrapper.ts'],
  s3ec: ['src/compose-s3ec.ts'],
};
const SETTINGS = { esdk: {}, 'esdk, KMS': { wrapsByKms: true }, s3ec: { format: 's3ec' } };

function functionBundle(name, configuration) {
  const metafile = JSON.parse(readFileSync(`dist/lambda-inputs/${name}.json`, 'utf8'));
  const fileOf = (module) =>
    Object.keys(metafile.outputs).find((file) => metafile.outputs[file].entryPoint === module);
  const entries = [`lambda/${name}/index.ts`, ...CHUNKS[configuration]].map(fileOf);
  return {
    what: `${name} (${configuration})`,
    file: `dist/lambda/${name}/index.mjs`,
    bytes: sizeOf(metafile, loadedWith(metafile, entries)),
    settings: { ...settings, ...SETTINGS[configuration] },
  };
}

/** Milliseconds until the module is there, with all that it awaits, and of CPU; both without Node's own start. */
function load({ file, settings: value = settings }) {
  const program = `
    const before = process.cpuUsage();
    const started = performance.now();
    await import(${JSON.stringify(resolve(file))});
    const { user, system } = process.cpuUsage(before);
    console.log(JSON.stringify({ ms: performance.now() - started, cpuMs: (user + system) / 1000 }));`;
  const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    env: {
      ...{ PATH: process.env.PATH, AWS_REGION: 'us-east-1', SEALDROP_SETTINGS: JSON.stringify(value) },
      // As the functions are deployed (lib/constructs/function.ts).
      NODE_OPTIONS: '--enable-source-maps',
    },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  if (status !== 0) throw new Error(`${file} does not start`);
  return JSON.parse(stdout);
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

const folder = mkdtempSync(join(tmpdir(), 'sealdrop-cold-start-'));
try {
  const bundles = [
    { what: 'SDK: the two clients', ...(await bundleSdkAlone('clients', join(folder, 'clients'))) },
    { what: 'SDK: the requests made', ...(await bundleSdkAlone('requests', join(folder, 'requests'))) },
    ...Object.keys(CHUNKS).map((configuration) => functionBundle('encrypt-object', configuration)),
    functionBundle('put-object', 'esdk'),
  ];
  const times = bundles.map(() => []);
  for (let run = 0; run < runs; run++) bundles.forEach((bundle, i) => void times[i].push(load(bundle)));

  const found = bundles.map(({ what, bytes }, i) => ({
    ...{ bench: 'cold-start', what, bytes, runs },
    ms: median(times[i].map(({ ms }) => ms)),
    cpuMs: median(times[i].map(({ cpuMs }) => cpuMs)),
  }));
  const [clients, requests] = found;
  const results = found.map((result) => ({
    ...result,
    bytesBeyondClients: result.bytes - clients.bytes,
    bytesBeyondRequests: result.bytes - requests.bytes,
    timesClients: { ms: result.ms / clients.ms, cpuMs: result.cpuMs / clients.cpuMs },
    timesRequests: { ms: result.ms / requests.ms, cpuMs: result.cpuMs / requests.cpuMs },
  }));
  for (const result of results) console.log(JSON.stringify(result));
  console.log('\n| loaded at start | KB | load ms | CPU ms | x clients: ms, CPU | x requests: ms, CPU |');
  console.log('|---|---|---|---|---|---|');
  for (const { what, bytes, ms, cpuMs, timesClients, timesRequests } of results)
    console.log(
      `| ${what} | ${Math.round(bytes / 1000)} | ${ms.toFixed(0)} | ${cpuMs.toFixed(0)} | ${ratios(timesClients)} | ${ratios(timesRequests)} |`,
    );
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function ratios({ ms, cpuMs }) {
  return `${ms.toFixed(2)}, ${cpuMs.toFixed(2)}`;
}
