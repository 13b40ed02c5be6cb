#!/usr/bin/env node
/** The CDK app: a stack for each deployment of sealdrop.config.json. */
import { App, CliCredentialsStackSynthesizer } from 'aws-cdk-lib';
import { GatewayStack } from '../lib/stacks/gateway-stack.js';
import { VaultStack } from '../lib/stacks/vault-stack.js';
import { stackNameOf } from '../src/contract.js';
import { readDeployments } from '../src/config/read-deployments.js';
import { exitCodeOf, isSealdropError } from '../src/errors.js';
import { environmentOf, partsOf } from './deployment-props.js';
import { cseKeyProps } from './vault-props.js';

async function synthesize(app: App): Promise<void> {
  const path: unknown = app.node.tryGetContext('config') ?? 'sealdrop.config.json';
  for (const [name, config] of Object.entries(await readDeployments(String(path)))) {
    const synthesizer: unknown = app.node.tryGetContext('synthesizer') ?? config.synthesizer;
    const props = {
      env: environmentOf(config),
      // The operator's own credentials, where the roles of `cdk bootstrap` can't be used.
      ...(synthesizer === 'cli' && { synthesizer: new CliCredentialsStackSynthesizer() }),
    };
    if (config.kind === 'vault')
      new VaultStack(app, name, { ...props, stackName: stackNameOf(name), cseKey: cseKeyProps(config) });
    else
      new GatewayStack(app, stackNameOf(name), { ...props, parts: (stack) => partsOf(stack, name, config) });
  }
  app.synth();
}

try {
  // Synthesized here and not as the process ends: so that what is wrong is told once, and here.
  await synthesize(new App({ autoSynth: false }));
} catch (error) {
  const known = error as Error & { hint?: string };
  process.stderr.write(`error: ${known.message}\n`);
  if (known.hint !== undefined) process.stderr.write(`hint: ${known.hint}\n`);
  process.exitCode = isSealdropError(error) ? exitCodeOf(error) : 2;
}
