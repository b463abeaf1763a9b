/**
 * The chart on this cluster: `helm template`, as it is but for two API versions that Kubernetes 1.20 has under older names,
 * whose fields are the same as far as the chart uses them, and a liveness probe's own grace, which it does not know yet.
 */
import { CHART, helm } from '../deploy/chart.ts';
import { type Kube, until } from './kube.ts';

const OLDER: Readonly<Record<string, string>> = {
  'autoscaling/v2': 'autoscaling/v2beta2',
  'policy/v1': 'policy/v1beta1',
};

/** What was rewritten, for people. */
export const REWRITTEN: string = [
  ...Object.entries(OLDER).map(([from, to]) => `${from} to ${to}`),
  'no grace of a liveness probe’s own',
].join(', ');
/** The pod's own stands further left. */
const PROBE_GRACE = /^ {12}terminationGracePeriodSeconds: \d+\n/gm;

/** The chart's manifests for `values`. @param tools folder with helm */
export function manifests(tools: string, values: object, ...only: readonly string[]): string {
  const shown = only.flatMap((template) => ['--show-only', `templates/${template}`]);
  const hooks = only.length === 0 ? ['--no-hooks'] : [];
  const text = helm(tools, ['template', 'tapewatch', CHART, ...hooks, ...shown], values);
  return text
    .replace(PROBE_GRACE, '')
    .replace(/^apiVersion: (\S+)$/gm, (line, version: string) =>
      OLDER[version] ? `apiVersion: ${OLDER[version]}` : line,
    );
}

/** As `helm upgrade --install` does: the hook that makes the topics, then everything else. */
export async function install(kube: Kube, tools: string, values: object): Promise<void> {
  await kube.kubectl(['delete', 'job', 'tapewatch-topics', '--ignore-not-found']);
  await kube.kubectl(['apply', '-f', '-'], manifests(tools, values, 'topics.yaml'));
  await until('the job that makes the topics is done', 120, async () => {
    const job = await kube.get<{ status: { succeeded?: number } }>(
      '/apis/batch/v1/namespaces/default/jobs/tapewatch-topics',
    );
    return job.status.succeeded === 1;
  });
  await kube.kubectl(['apply', '-f', '-'], manifests(tools, values));
}

/** Till every pod of the workload is of its newest template, and ready. */
export async function rolledOut(kube: Kube, workload: string, within_s: number): Promise<void> {
  await kube.kubectl(['rollout', 'status', workload, `--timeout=${within_s}s`]);
}
