/**
 * Images that stand in for those which compose.yaml names, where no registry can be reached: the same servers (Kafka from
 * Maven's jars on this machine's Java; Prometheus and Alertmanager as Debian builds them) started the same way.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { jars } from '../kafka/broker.ts';
import { unpack } from './debian.ts';
import type { Docker } from './docker.ts';
import { debianImage, digest, has } from './images.ts';

const KAFKA = fileURLToPath(new URL('./kafka-image/', import.meta.url));

/** In the place of apache/kafka. */
export function kafkaImage(docker: Docker): string {
  const libs = jars();
  const home = javaHome();
  return built(
    docker,
    'kafka',
    [
      readdirSync(libs).sort().join(),
      join(home, 'release'),
      ...['Dockerfile', 'start.sh'].map((file) => join(KAFKA, file)),
    ],
    (folder) => {
      cpSync(KAFKA, folder, { recursive: true });
      cpSync(libs, join(folder, 'libs'), { recursive: true });
      // As files: its configuration are links to elsewhere on this machine.
      const left = ['src.zip', 'jmods', 'demo', 'man'].map((name) => `--exclude=${name}`).join(' ');
      execFileSync('sh', ['-c', `mkdir jvm && tar -C "$0" -ch ${left} . | tar -C jvm -x`, home], { cwd: folder });
    },
  );
}

function javaHome(): string {
  const [, home] = /java\.home = (.*)/.exec(
    execFileSync('sh', ['-c', 'java -XshowSettings:properties -version 2>&1'], { encoding: 'utf8' }),
  )!;
  return home!.trim();
}

/** In the place of prom/prometheus and prom/alertmanager: by name. @param tools folder of Debian's executables */
export function prometheusImages(
  docker: Docker,
  tools: string,
): Readonly<Record<'prometheus' | 'alertmanager', string>> {
  const image = (name: string, executable: string): string =>
    built(docker, name, [join(tools, executable), name, 'busybox'], (folder) => {
      cpSync(join(tools, executable), join(folder, 'server'));
      cpSync(join(tools, '../share/prometheus'), join(folder, 'share'), { recursive: true });
      unpack('bookworm', ['busybox-static'], join(folder, 'busybox'));
      writeFileSync(
        join(folder, 'Dockerfile'),
        `ARG BASE
FROM \${BASE}
COPY server /bin/${name}
COPY share /usr/share/prometheus
COPY busybox/bin/busybox /bin/busybox
RUN ln -s busybox /bin/wget && mkdir -p /${name} /etc/${name} && chown 65534:65534 /${name}
USER 65534:65534
ENTRYPOINT ["/bin/${name}"]
`,
      );
    });
  return {
    prometheus: image('prometheus', 'prometheus'),
    alertmanager: image('alertmanager', 'prometheus-alertmanager'),
  };
}

/** Builds `name` in a folder that `fill` fills, unless one of the same `parts` is there. */
function built(docker: Docker, name: string, parts: readonly string[], fill: (folder: string) => void): string {
  const base = debianImage(docker);
  const tag = `tapewatch-test/${name}:${digest(...parts)}`;
  if (has(docker, tag)) return tag;
  const folder = mkdtempSync(join(tmpdir(), `tapewatch-${name}-`));
  try {
    fill(folder);
    docker.run('buildx', 'build', '--load', '-q', '-t', tag, '--build-arg', `BASE=${base}`, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return tag;
}
