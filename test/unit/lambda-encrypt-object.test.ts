/** What the encrypting function says of its work. */
import { describe, expect, test } from '@jest/globals';
import { Logger } from '@aws-lambda-powertools/logger';
import { telemetry } from '../../lambda/encrypt-object/telemetry.js';
import { SealdropError } from '../../src/errors.js';

/** All that is written while something runs, parsed. */
function written(run: () => void): Record<string, unknown>[] {
  const lines: string[] = [];
  const streams = [process.stdout, process.stderr];
  const real = streams.map((stream) => stream.write.bind(stream));
  const take = (text: unknown) => {
    lines.push(...String(text).split('\n').filter(Boolean));
    return true;
  };
  for (const stream of streams) stream.write = take;
  try {
    run();
  } finally {
    streams.forEach((stream, i) => (stream.write = real[i]!));
  }
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

const report = { bucket: 'inbox', key: 'a', bytes: 7, ms: 12 };

describe('telemetry', () => {
  const made = () => {
    process.env.POWERTOOLS_DEV = 'false';
    return telemetry('dev', new Logger({ serviceName: 'sealdrop-dev' }));
  };
  const metricsOf = (lines: Record<string, unknown>[]) => lines.filter((line) => '_aws' in line);

  test('has one dimension, the deployment', () => {
    const said = made();
    const lines = written(() => {
      said.object({ ...report, outcome: 'stored' }, 'FINGERPRINT');
      said.object({ ...report, outcome: 'stored' });
      said.object({ ...report, outcome: 'duplicate' });
      said.object({ ...report, outcome: 'stale' });
      said.object({ ...report, outcome: 'gone' });
      said.object({ ...report, outcome: 'ignored' });
      said.flush();
    });
    const [metrics, ...more] = metricsOf(lines);
    expect(more).toEqual([]);
    expect(metrics).toMatchObject({
      ...{ deployment: 'dev', Stored: [1, 1], StoredBytes: [7, 7], Duration: [12, 12] },
      ...{ Duplicate: 1, Superseded: 1, Gone: 1 },
      _aws: { CloudWatchMetrics: [{ Namespace: 'sealdrop', Dimensions: [['deployment']] }] },
    });
    expect(metrics).not.toHaveProperty('service');
  });

  test('counts a failure with its code and without', () => {
    const said = made();
    const error = new SealdropError('too_large', 'it is too large', { hint: 'cut it' });
    const lines = written(() => {
      said.object({ ...report, outcome: 'failed', code: 'too_large', retryable: false, error });
      said.notConfigured(new SealdropError('secret_missing', 'there is none'));
      said.flush();
    });
    expect(metricsOf(lines)).toMatchObject([
      { Failed: 1, NotConfigured: 1, _aws: { CloudWatchMetrics: [{ Dimensions: [['deployment']] }] } },
      {
        Failed: 1,
        code: 'too_large',
        _aws: { CloudWatchMetrics: [{ Dimensions: [['deployment', 'code']] }] },
      },
      { NotConfigured: 1, code: 'secret_missing' },
    ]);
    expect(lines[0]).toMatchObject({
      message: 'failed',
      code: 'too_large',
      reason: 'it is too large',
      hint: 'cut it',
    });
  });

  test('says nothing of what an unknown error holds', () => {
    const said = made();
    const error = Object.assign(new TypeError('with PLAINTEXT in it'), { body: 'PLAINTEXT' });
    const lines = written(() => said.object({ ...report, outcome: 'failed', error }));
    expect(lines).toHaveLength(1);
    expect(JSON.stringify(lines)).not.toContain('PLAINTEXT');
    expect(lines[0]).toMatchObject({ code: 'internal', reason: 'TypeError' });
  });

  test('is silent where nothing happened', () => {
    const said = made();
    expect(written(() => said.flush())).toEqual([]);
  });
});
