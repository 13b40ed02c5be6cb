// What the encrypting functions cost before their first event: what is loaded at start, and how long that takes in a bare
// Node process as Lambda starts it, beside a bundle of the SDK's two clients alone. Medians of runs that take turns.
// Prints a line of JSON for each, and a table. With the Lambda runtime interface emulator also what that calls the
// duration of the initialisation, Node's own start included; its runtime client here is a loop of two requests.
// Usage: node bench/cold-start.mjs [--runs N, default 21] [--emulator FILE]
// The emulator: go install github.com/aws/aws-lambda-runtime-interface-emulator/cmd/aws-lambda-rie@latest
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { bundleSdkAlone, loadedWith, sizeOf } from '../test/helpers/sdk-alone.mjs';

const { values: flags } = parseArgs({ options: { runs: { type: 'string' }, emulator: { type: 'string' } } });
const runs = Number(flags.runs ?? 21);

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

/** As Lambda starts it, and as the functions are deployed (lib/constructs/function.ts). */
const environment = (value) => ({
  ...{ PATH: process.env.PATH, AWS_REGION: 'us-east-1', SEALDROP_SETTINGS: JSON.stringify(value) },
  NODE_OPTIONS: '--enable-source-maps',
});

/** Milliseconds until the module is there, with all that it awaits, and of CPU; both without Node's own start. */
function load({ file, settings: value = settings }) {
  const program = `
    const before = process.cpuUsage();
    const started = performance.now();
    await import(${JSON.stringify(resolve(file))});
    const { user, system } = process.cpuUsage(before);
    console.log(JSON.stringify({ ms: performance.now() - started, cpuMs: (user + system) / 1000 }));`;
  const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    env: environment(value),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  if (status !== 0) throw new Error(`${file} does not start`);
  return JSON.parse(stdout);
}

/** What the emulator calls the duration of the initialisation, in milliseconds. */
async function initialise({ file, settings: value = settings }) {
  const client = join(folder, 'client.mjs');
  writeFileSync(
    client,
    `await import(${JSON.stringify(resolve(file))});
    const api = 'http://' + process.env.AWS_LAMBDA_RUNTIME_API + '/2018-06-01/runtime/invocation/';
    for (;;) {
      const next = await fetch(api + 'next');
      await next.text();
      await fetch(api + next.headers.get('lambda-runtime-aws-request-id') + '/response', { method: 'POST', body: '{}' });
    }`,
  );
  const [port, apiPort] = [await freePort(), await freePort()];
  const addresses = [
    ...['--runtime-interface-emulator-address', `127.0.0.1:${port}`],
    ...['--runtime-api-address', `127.0.0.1:${apiPort}`],
  ];
  const emulator = spawn(flags.emulator, [...addresses, process.execPath, client, 'index.handler'], {
    env: { ...environment(value), AWS_ACCESS_KEY_ID: 'bench', AWS_SECRET_ACCESS_KEY: 'bench' },
  });
  let log = '';
  for (const stream of [emulator.stdout, emulator.stderr]) stream.on('data', (piece) => (log += piece));
  const ended = once(emulator, 'exit');
  try {
    await invoke(`http://127.0.0.1:${port}/2015-03-31/functions/function/invocations`);
    const [, ms] = /INIT REPORT\(durationMs: ([\d.]+)\)/.exec(log) ?? [];
    if (ms === undefined) throw new Error(`the emulator says nothing of the initialisation:\n${log}`);
    return Number(ms);
  } finally {
    emulator.kill();
    await ended;
  }
}

/** Once it listens: it initialises the function at the first event. */
async function invoke(url) {
  for (let attempt = 0; ; attempt++) {
    try {
      return await (await fetch(url, { method: 'POST', body: '{}' })).text();
    } catch (error) {
      if (attempt === 100) throw error;
      await sleep(100);
    }
  }
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
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
  for (let run = 0; run < runs; run++)
    for (const [i, bundle] of bundles.entries()) {
      const initMs = flags.emulator === undefined ? undefined : await initialise(bundle);
      times[i].push({ ...load(bundle), initMs });
    }

  const found = bundles.map(({ what, bytes }, i) => ({
    ...{ bench: 'cold-start', what, bytes, runs },
    ms: median(times[i].map(({ ms }) => ms)),
    cpuMs: median(times[i].map(({ cpuMs }) => cpuMs)),
    ...(flags.emulator !== undefined && { initMs: median(times[i].map(({ initMs }) => initMs)) }),
  }));
  const [clients, requests] = found;
  const results = found.map((result) => ({
    ...result,
    bytesBeyondClients: result.bytes - clients.bytes,
    bytesBeyondRequests: result.bytes - requests.bytes,
    timesClients: timesOf(result, clients),
    timesRequests: timesOf(result, requests),
  }));
  for (const result of results) console.log(JSON.stringify(result));
  const init = flags.emulator !== undefined;
  const row = (cells) => console.log(`| ${cells.join(' | ')} |`);
  const head = ['loaded at start', 'KB', 'load ms', 'CPU ms', ...(init ? ['initialised ms'] : [])];
  console.log();
  row([...head, 'x clients', 'x requests']);
  row([...head, '', ''].map(() => '---'));
  for (const { what, bytes, ms, cpuMs, initMs, timesClients, timesRequests } of results)
    row([
      ...[what, Math.round(bytes / 1000), ms.toFixed(0), cpuMs.toFixed(0)],
      ...(init ? [initMs.toFixed(0)] : []),
      ...[timesClients, timesRequests].map((times) =>
        Object.values(times)
          .map((n) => n.toFixed(2))
          .join(', '),
      ),
    ]);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** In the order of the table's columns. */
function timesOf(result, base) {
  const columns = ['ms', 'cpuMs', 'initMs'].filter((column) => column in result);
  return Object.fromEntries(columns.map((column) => [column, result[column] / base[column]]));
}
