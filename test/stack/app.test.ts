/** The app that `cdk deploy` runs, as it is built: no network, no Docker, and the same every time. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = mkdtempSync(join(tmpdir(), 'sealdrop-app-'));
const app = join(process.cwd(), 'dist/bin/app.js');
const { context } = JSON.parse(readFileSync('cdk.json', 'utf8'));
const deployment = { publicKeySetSecret: 'p', vaultWriteSecret: 'v' };
const CONFIG = {
  deployments: {
    dev: deployment,
    prod: {
      ...deployment,
      account: '111122223333',
      region: 'ap-northeast-1',
      inboxes: [{ bucket: 'one', prefix: 'a/', vaultKeyTemplate: '{rest}' }],
      afterStore: 'tag',
      logRetentionDays: 30,
      alarmTopicArn: 'arn:aws:sns:ap-northeast-1:111122223333:alarms',
      network: {
        vpcId: 'vpc-0123456a',
        subnets: [{ id: 'subnet-0123456b', availabilityZone: 'ap-northeast-1a' }],
      },
      api: { callers: { kind: 'iam', prefixes: { '111122223333:role/lab': 'lab/' } }, vaultReadSecret: 'r' },
    },
    'on-aws': {
      publicKeySetSecret: 'p',
      vaultBucket: { name: 'the-vault', prefix: 'sealed/' },
      inboxes: [
        { bucket: 'one', prefix: 'a/' },
        { bucket: 'one', prefix: 'b/' },
      ],
      synthesizer: 'cli',
    },
    Vault: { kind: 'vault', region: 'eu-west-1', decrypters: ['arn:aws:iam::111122223333:role/reader'] },
  },
};

beforeAll(() => writeFileSync(join(folder, 'sealdrop.config.json'), JSON.stringify(CONFIG)));
afterAll(() => rmSync(folder, { recursive: true }));

/** As the CDK's command starts it; the PATH has neither docker nor a compiler, and the proxy answers nobody. */
function synth(out: string, more: Record<string, unknown> = {}, validation = false) {
  return spawnSync(process.execPath, [app], {
    cwd: folder,
    encoding: 'utf8',
    env: {
      PATH: '/nowhere',
      HTTPS_PROXY: 'http://127.0.0.1:1',
      CDK_OUTDIR: join(folder, out),
      CDK_CONTEXT_JSON: JSON.stringify({ ...context, ...more }),
      CDK_VALIDATION: String(validation),
    },
  });
}

/** Every file of a cloud assembly, but where it was made and what the validation says. */
function filesOf(out: string): Record<string, string> {
  const files = readdirSync(join(folder, out), { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && entry.name !== 'validation-report.json',
  );
  const named = files.map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(
    named.map((file) => [
      file.replace(join(folder, out), ''),
      readFileSync(file, 'utf8').replaceAll(join(folder, out), 'OUT'),
    ]),
  );
}

interface Resource {
  readonly Type: string;
  readonly Properties: ReturnType<typeof JSON.parse>;
}

const template = (out: string, stack: string) =>
  JSON.parse(readFileSync(join(folder, out, `${stack}.template.json`), 'utf8')) as {
    Resources: Record<string, Resource>;
    Outputs: object;
  };

test('one file makes a stack for each deployment, valid for CloudFormation, and two synths are identical', () => {
  expect(synth('one', {}, true)).toMatchObject({ status: 0, stderr: '' });
  expect(synth('two')).toMatchObject({ status: 0, stderr: '' });
  const [one, two] = [filesOf('one'), filesOf('two')];
  expect(
    Object.keys(one)
      .filter((name) => name.endsWith('.template.json'))
      .sort(),
  ).toEqual([
    '/Sealdrop-dev.template.json',
    '/Sealdrop-on-aws.template.json',
    '/Sealdrop-prod.template.json',
    '/Vault.template.json',
  ]);
  expect(one).toEqual(two);
}, 120_000);

describe('of what the file says', () => {
  test('each field reaches its resource', () => {
    const { Resources, Outputs } = template('one', 'Sealdrop-prod');
    const of = (type: string) => Object.values(Resources).filter(({ Type }) => Type === type);
    expect(of('AWS::S3::Bucket').length).toBe(1);
    const encrypting = of('AWS::Lambda::Function').find(({ Properties }) => Properties.MemorySize === 1769);
    expect(encrypting!.Properties.VpcConfig.SubnetIds).toEqual(['subnet-0123456b']);
    const settings = JSON.stringify(encrypting!.Properties.Environment.Variables.SEALDROP_SETTINGS);
    expect(settings).toContain('\\"after\\":\\"tag\\"');
    expect(of('AWS::Logs::LogGroup').map(({ Properties }) => Properties.RetentionInDays)).toContain(30);
    for (const alarm of of('AWS::CloudWatch::Alarm'))
      expect(alarm.Properties.AlarmActions).toEqual(['arn:aws:sns:ap-northeast-1:111122223333:alarms']);
    expect(Object.keys(Outputs).sort()).toEqual([
      'ApiUrl',
      'BackfillReports',
      'BackfillStateMachine',
      'DeadLetterQueueUrl',
      'EncryptObjectFunction',
      'EncryptObjectLog',
      'Inboxes',
      'QueueUrl',
    ]);
  });

  test('a vault is deployed by its name, into a stack that is called as the others', () => {
    const { artifacts } = JSON.parse(readFileSync(join(folder, 'one', 'manifest.json'), 'utf8'));
    expect(artifacts.Vault.properties.stackName).toBe('Sealdrop-Vault');
    expect(artifacts.Vault.environment).toMatch(/eu-west-1$/);
    const { Resources } = template('one', 'Vault');
    expect(JSON.stringify(Resources)).toContain('arn:aws:iam::111122223333:role/reader');
    expect(Object.values(Resources).some(({ Type }) => Type === 'AWS::Lambda::Function')).toBe(false);
  });

  test('the synthesizer is chosen by the file or by context', () => {
    const roles = (out: string, stack: string) =>
      JSON.parse(readFileSync(join(folder, out, 'manifest.json'), 'utf8')).artifacts[stack].properties
        .assumeRoleArn;
    expect(roles('one', 'Sealdrop-dev')).toBeDefined();
    expect(roles('one', 'Sealdrop-on-aws')).toBeUndefined();
    synth('three', { synthesizer: 'cli' });
    expect(roles('three', 'Sealdrop-dev')).toBeUndefined();
  }, 60_000);
});

describe('it ends with one line and exit code 2', () => {
  test('without a file', () => {
    const { status, stderr } = synth('none', { config: 'other.json' });
    expect(status).toBe(2);
    expect(stderr).toMatch(/^error: there is no file other\.json\nhint: name it: -c config=FILE.*\n$/);
  });

  test('for a field that is wrong', () => {
    writeFileSync(
      join(folder, 'bad.json'),
      JSON.stringify({ deployments: { dev: { ...deployment, maxConcurrency: 1 } } }),
    );
    const { status, stderr } = synth('none', { config: 'bad.json' });
    expect(status).toBe(2);
    expect(stderr).toMatch(/^error: bad\.json: deployments\.dev\.maxConcurrency: .*\nhint: .*\n$/);
  });

  test('for a key that nobody could decrypt by', () => {
    const dev = { kind: 'vault', keyPolicy: 'restricted' };
    writeFileSync(join(folder, 'nobody.json'), JSON.stringify({ deployments: { dev } }));
    const { status, stderr } = synth('none', { config: 'nobody.json' });
    expect(status).toBe(2);
    expect(stderr).toMatch(/^error: .*names no decrypter.*\n$/);
  });

  test('for fields that do not go together', () => {
    const dev = { ...deployment, inboxes: [{ prefix: 'a/' }, { prefix: 'a/b/' }] };
    writeFileSync(join(folder, 'overlap.json'), JSON.stringify({ deployments: { dev } }));
    const { status, stderr } = synth('none', { config: 'overlap.json' });
    expect(status).toBe(2);
    expect(stderr).toMatch(/^error: .*inboxes overlap.*\n$/);
  });
});
