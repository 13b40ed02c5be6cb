/** What a function says of its work: a line of log and metrics for each object. Never content, events or ETags. */
import type { Logger } from '@aws-lambda-powertools/logger';
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';
import { METRICS } from '../../src/contract.js';
import { isSealdropError } from '../../src/errors.js';
import type { Report } from '../../src/gateway/inbox-gateway.js';
import { codeOf } from '../../src/gateway/permanent.js';

export interface Telemetry {
  object(report: Report, fingerprint?: string): void;
  /** Nothing can be encrypted with the secrets as they are. */
  notConfigured(error: unknown): void;
  problem(what: string, error: unknown): void;
  flush(): void;
}

const COUNTED: Partial<Record<Report['outcome'], string>> = {
  stored: METRICS.stored,
  duplicate: METRICS.duplicate,
  stale: METRICS.superseded,
  superseded: METRICS.superseded,
  gone: METRICS.gone,
  failed: METRICS.failed,
};

export function telemetry(deployment: string, logger: Logger): Telemetry {
  const metrics = new Metrics({ namespace: METRICS.namespace });
  // A `service` would be a dimension of every metric, and the alarms know none.
  metrics.clearDefaultDimensions();
  metrics.setDefaultDimensions({ deployment });
  const codes: { metric: string; code: string }[] = [];
  const count = (metric: string) => metrics.addMetric(metric, MetricUnit.Count, 1);

  return {
    object(report, fingerprint) {
      const { bucket, key, outcome, code, retryable, bytes, ms, error } = report;
      const line = { bucket, key, outcome, bytes, ms, fingerprint };
      if (outcome === 'failed') logger.error('failed', { ...line, retryable, ...said(error) });
      else if (outcome === 'gone') logger.warn('gone', line);
      else logger.info(outcome, line);
      const metric = COUNTED[outcome];
      if (metric !== undefined) count(metric);
      if (outcome === 'failed') codes.push({ metric: METRICS.failed, code: code ?? 'internal' });
      if (outcome !== 'stored') return;
      metrics.addMetric(METRICS.storedBytes, MetricUnit.Bytes, bytes ?? 0);
      metrics.addMetric(METRICS.duration, MetricUnit.Milliseconds, ms);
    },
    notConfigured(error) {
      logger.error('not configured', said(error));
      count(METRICS.notConfigured);
      codes.push({ metric: METRICS.notConfigured, code: codeOf(error) });
    },
    problem: (what, error) => logger.error(what, said(error)),
    flush() {
      if (metrics.hasStoredMetrics()) metrics.publishStoredMetrics();
      for (const { metric, code } of codes.splice(0)) {
        metrics.addDimensions({ code });
        count(metric);
        metrics.publishStoredMetrics();
      }
    },
  };
}

/** Messages of ours name keys and places; those of others may hold anything. */
function said(error: unknown): { code: string; reason?: string; hint?: string | undefined } {
  const code = codeOf(error);
  if (isSealdropError(error)) return { code, reason: error.message, hint: error.hint };
  return error instanceof Error ? { code, reason: error.name } : { code };
}
