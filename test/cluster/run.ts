/**
 * `npm run test:cluster`: a real Kubernetes on this machine, with our chart and our image on it. What is built from source is
 * kept in a cache folder; `--if-built` says so and ends where it is not there.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { install, isDebian, mirror } from '../deploy/debian.ts';
import { type Docker, someDocker } from '../deploy/docker.ts';
import { bases, tapewatchImage } from '../deploy/images.ts';
import { helmTool, prometheusTools } from '../deploy/tools.ts';
import { jars, noCluster } from '../kafka/broker.ts';

const CACHE = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'tapewatch-cluster');
const SERVERS = join(CACHE, 'kubernetes-1.20.2');
const FOLDER = join(CACHE, 'run');
const IMAGES = join(CACHE, 'images.tar');
const TAGS = ['cluster', 'cluster-next'] as const;
const PAUSE = 'localhost/pause:1';
const BUILT = ['apiserver', 'controller-manager', 'scheduler', 'proxy'].map((name) => `kube-${name}`);
const HERE = fileURLToPath(new URL('.', import.meta.url));
const NAMESPACE = '/run/netns/tapewatch-cluster';

const NOT_PROVED = `Not proved here, as neither can be had without an image registry or a newer source:
  the KEDA operator (its objects are checked against their schema by npm run test:deploy) and prometheus-adapter (its rule's
    query runs on the real Prometheus; a stand-in hands the result to the autoscaler);
  a Kubernetes with autoscaling/v2 and policy/v1 (the manifests say these; this 1.20 has the same fields as v2beta2, v1beta1),
    and its Pod Security admission (what the pods run as is looked at from inside them);
  NetworkPolicies (the bridge between these pods enforces none), several nodes, and DNS (addresses stand in the values).
`;

async function main(): Promise<number> {
  const missing = [...BUILT, 'kubelet', 'metrics-server'].filter((name) => !existsSync(join(SERVERS, name)));
  if (missing.length > 0 && process.argv.includes('--if-built'))
    return say(
      `The cluster tests did not run: ${SERVERS} lacks ${missing.join(', ')}. "npm run test:cluster" builds them.`,
    );
  const reason = noKubernetes();
  if (reason) return say(`The cluster tests did not run: they need ${reason}.`);
  install({
    iproute2: '/bin/ip',
    iptables: '/usr/sbin/iptables',
    containerd: '/usr/bin/containerd',
    runc: '/usr/sbin/runc',
    'etcd-server': '/usr/bin/etcd',
    'containernetworking-plugins': '/usr/lib/cni/bridge',
  });
  if (missing.length > 0) build(missing);
  const helm = helmTool();
  const prometheus = prometheusTools();
  if (helm.missing !== undefined || prometheus.missing !== undefined)
    throw new Error(helm.missing ?? prometheus.missing);
  await images();
  jars();
  const env = { ...process.env, KUBECTL: join(helm.dir, 'kubectl') };
  const plane = (command: string): void => {
    const args = [join(HERE, 'control-plane.sh'), command, FOLDER, SERVERS, IMAGES];
    const { status } = spawnSync('bash', args, { env, stdio: ['ignore', 'inherit', 'inherit'] });
    if (status !== 0 && command === 'up') throw new Error(`No control plane came up; its logs are in ${FOLDER}.`);
  };
  plane('down');
  const began = performance.now();
  try {
    plane('up');
    say(`Kubernetes 1.20.2 is up after ${Math.round((performance.now() - began) / 1000)} s.`);
    const status = await tests({
      ...env,
      TAPEWATCH_CLUSTER: JSON.stringify({
        folder: FOLDER,
        kubectl: env.KUBECTL,
        helm: helm.dir,
        prometheus: join(prometheus.dir, 'prometheus'),
        metricsServer: join(SERVERS, 'metrics-server'),
        tag: TAGS[0],
        nextTag: TAGS[1],
      }),
    });
    say(NOT_PROVED);
    return status;
  } finally {
    if (!process.argv.includes('--keep')) plane('down');
  }
}

/** What is missing to run one here; null where nothing is. */
function noKubernetes(): string | null {
  if (!isDebian()) return 'root on Debian, which has the source and the container runtime';
  if (!existsSync('/sys/fs/cgroup/memory')) return 'cgroup v1, which Kubernetes 1.20 is at home with';
  if (noCluster()) return 'Java 17 and Maven, for the Kafka broker';
  return null;
}

function build(missing: readonly string[]): void {
  say(
    `${missing.join(', ')} are built from source, once: 15 to 25 minutes on two idle cores. Log: ${SERVERS}/build.log`,
  );
  mkdirSync(SERVERS, { recursive: true });
  const script = 'nice -n 15 bash "$0" "$1" "$2" >"$1/build.log" 2>&1 || { tail -n 20 "$1/build.log"; exit 1; }';
  execFileSync('bash', ['-c', script, join(HERE, 'build.sh'), SERVERS, mirror()], { stdio: 'inherit' });
}

/** Our image under two tags, as before and after an update, and the pause image, in one file. */
async function images(): Promise<void> {
  const docker: Docker = await someDocker();
  try {
    TAGS.forEach((tag) => void tapewatchImage(docker, `tapewatch:${tag}`, ['--build-arg', `REVISION=${tag}`]));
    const { runtime } = bases(docker);
    docker.run(
      ...['buildx', 'build', '--load', '-q', '-t', PAUSE, '--build-arg', `BASE=${runtime}`],
      join(HERE, 'pause'),
    );
    rmSync(IMAGES, { force: true });
    docker.run('save', '-o', IMAGES, ...TAGS.map((tag) => `tapewatch:${tag}`), PAUSE);
  } finally {
    await docker.stop();
  }
}

async function tests(env: NodeJS.ProcessEnv): Promise<number> {
  const node = [
    process.execPath,
    '--conditions=tapewatch-source',
    '--test',
    '--test-force-exit',
    '--test-timeout=600000',
  ];
  const child = spawn('nsenter', [`--net=${NAMESPACE}`, ...node, join(HERE, 'cluster.test.ts')], {
    env,
    stdio: 'inherit',
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => child.kill(signal));
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}

function say(sentence: string): 0 {
  process.stdout.write(`${sentence}\n`);
  return 0;
}

process.exitCode = await main();
