/** Debian packages for the tests: installed where this is Debian and we are root, or unpacked beside from a newer suite. */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** Whether packages can be installed here. */
export function isDebian(): boolean {
  return (
    process.platform === 'linux' && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get') && existsSync(KEYRING)
  );
}

/** The mirror that this machine's own apt reads Debian from. */
export function mirror(): string {
  for (const file of globSync('/etc/apt/{sources.list,sources.list.d/*}')) {
    const url = /^(?:URIs:|deb(?: \[[^\]]*\])?) +(\S+\/debian)\/?(?: |$)/m.exec(readFileSync(file, 'utf8'))?.[1];
    if (url) return url;
  }
  throw new Error('No Debian mirror stands in /etc/apt.');
}

/** Installs what is missing; a command stands for each package: `{ debootstrap: '/usr/sbin/debootstrap' }`. */
export function install(packages: Readonly<Record<string, string>>): void {
  const missing = Object.keys(packages).filter((name) => !existsSync(packages[name]!));
  if (missing.length === 0) return;
  const apt = (...args: string[]): void =>
    void execFileSync('apt-get', ['-qq', '-o', 'DPkg::Lock::Timeout=300', ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      timeout: 300_000,
    });
  apt('update');
  apt('install', '-y', '--no-install-recommends', ...missing);
}

/**
 * Unpacks packages of a suite into `folder` by an apt of its own, which knows nothing of what this machine has installed:
 * without their dependencies, and running none of their scripts.
 */
export function unpack(suite: string, packages: readonly string[], folder: string): void {
  const root = mkdtempSync(join(tmpdir(), 'tapewatch-apt-'));
  try {
    for (const path of [
      'etc/apt/apt.conf.d',
      'etc/apt/preferences.d',
      'etc/apt/trusted.gpg.d',
      'var/lib/apt/lists/partial',
      'var/lib/dpkg',
      'var/cache/apt/archives/partial',
    ])
      mkdirSync(join(root, path), { recursive: true });
    writeFileSync(join(root, 'var/lib/dpkg/status'), '');
    for (const file of globSync('/etc/apt/apt.conf.d/99*'))
      copyFileSync(file, join(root, 'etc/apt/apt.conf.d', file.slice(file.lastIndexOf('/') + 1)));
    writeFileSync(join(root, 'etc/apt/sources.list'), `deb [signed-by=${KEYRING}] ${mirror()} ${suite} main\n`);
    writeFileSync(
      join(root, 'apt.conf'),
      `Dir "${root}"; Dir::State::status "${root}/var/lib/dpkg/status"; APT::Sandbox::User "root"; Acquire::Languages "none";\n`,
    );
    const options = {
      cwd: root,
      env: { ...process.env, APT_CONFIG: join(root, 'apt.conf') },
      stdio: 'pipe',
      timeout: 300_000,
    } as const;
    execFileSync('apt-get', ['-qq', 'update'], options);
    execFileSync('apt-get', ['-qq', 'download', ...packages], options);
    mkdirSync(folder, { recursive: true });
    for (const file of globSync(join(root, '*.deb'))) execFileSync('dpkg', ['-x', file, folder], { stdio: 'pipe' });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
