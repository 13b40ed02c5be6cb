/** `cdk deploy Vault` on a local AWS, and whoever may use its CSE key. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ADMINISTRATOR, assumedRole, type AssumedRole } from './aws-assumed.js';
import { bootstrap, cdk, type CdkApp } from './aws-cdk.js';
import { startAws, type Aws } from './aws-server.js';

export interface VaultOutputs {
  readonly BucketName: string;
  readonly SseKeyArn: string;
  readonly CseKeyArn: string;
  readonly CseKeyAlias: string;
}

export interface VaultStack {
  readonly aws: Aws;
  readonly outputs: VaultOutputs;
  /** Named in the key policy. */
  readonly keeper: AssumedRole;
  /** May do everything that IAM has a say in, and is not in the key policy. */
  readonly outsider: AssumedRole;
  /** Deploys the vault anew, for these. */
  deployVault(roles: { decrypters: readonly string[]; encrypters: readonly string[] }): Promise<VaultOutputs>;
  /** Deploys a gateway beside it. */
  deployGateway<Outputs>(name: string, config: object): Promise<Outputs>;
  stop(): Promise<void>;
}

export async function startVaultStack(): Promise<VaultStack> {
  const aws = await startAws();
  const folder = mkdtempSync(join(tmpdir(), 'sealdrop-deploy-'));
  const app: CdkApp = { aws, folder, app: `${process.execPath} ${join(process.cwd(), 'dist/bin/app.js')}` };
  const stop = async () => {
    await aws.stop();
    await rm(folder, { recursive: true, force: true });
  };
  const deploy = deployer(app);
  const deployVault: VaultStack['deployVault'] = (roles) =>
    deploy<VaultOutputs>('Vault', 'Vault', { kind: 'vault', ...roles });
  try {
    const keeper = await assumedRole(aws, 'keeper', ADMINISTRATOR);
    const outsider = await assumedRole(aws, 'outsider', ADMINISTRATOR);
    writeConfig(folder, { Vault: { kind: 'vault' } });
    await bootstrap(app);
    const outputs = await deployVault({ decrypters: [keeper.arn], encrypters: [keeper.arn] });
    const deployGateway = <Outputs>(name: string, config: object) =>
      deploy<Outputs>(name, `Sealdrop-${name}`, config);
    return { aws, outputs, keeper, outsider, deployVault, deployGateway, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function deployer(app: CdkApp) {
  const deployments: Record<string, object> = {};
  return async <Outputs>(name: string, id: string, config: object): Promise<Outputs> => {
    deployments[name] = config;
    writeConfig(app.folder, deployments);
    const file = join(app.folder, 'outputs.json');
    await cdk(app, ['deploy', id, '--require-approval', 'never', '--outputs-file', file]);
    return (JSON.parse(readFileSync(file, 'utf8')) as Record<string, Outputs>)[`Sealdrop-${name}`]!;
  };
}

const writeConfig = (folder: string, deployments: object): void =>
  writeFileSync(join(folder, 'sealdrop.config.json'), JSON.stringify({ deployments }));
