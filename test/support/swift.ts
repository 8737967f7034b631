import { type ChildProcess, execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ended, launch, type ObjectStore } from './ceph.ts';
import { freePort, untilAnswers } from './ports.ts';

const run = promisify(execFile);

const SWIFT = 'swift-proxy swift-account swift-container swift-object memcached';
const RINGS = ['account', 'container', 'object'] as const;

/** What goes before the servers, in order: the second S3 there is, and a strict one. */
const FILTERS = {
  catch_errors: 'catch_errors',
  gatekeeper: 'gatekeeper',
  cache: 'memcache',
  listing_formats: 'listing_formats',
  s3api: 's3api',
  tempauth: 'tempauth',
  copy: 'copy',
  slo: 'slo',
  dlo: 'dlo',
} as const;

/** Starts an OpenStack Swift of one machine with its S3 interface, as children of this process. */
export async function startSwift(): Promise<ObjectStore> {
  const folder = await mkdtemp(join(tmpdir(), 'media-prompts-swift-'));
  const children: ChildProcess[] = [];
  const stop = async () => {
    for (const child of children.reverse()) await ended(child);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const [memory, proxy] = [await freePort(), await freePort()];
    await mkdir(join(folder, 'srv/disk'), { recursive: true });
    await writeFile(join(folder, 'swift.conf'), '[swift-hash]\nswift_hash_path_suffix = test\n');
    const start = (program: string, ...args: string[]) => children.push(launch(folder, program, args));
    start('memcached', '-l', '127.0.0.1', '-p', String(memory), '-u', userInfo().username);
    for (const ring of RINGS) {
      const port = await freePort();
      const builder = (...args: string[]) =>
        run('swift-ring-builder', [`${ring}.builder`, ...args], { cwd: folder });
      await builder('create', '4', '1', '1');
      await builder('add', `r1z1-127.0.0.1:${port}/disk`, '1');
      await builder('rebalance');
      await writeFile(join(folder, `${ring}.conf`), serverConfiguration(folder, ring, port));
      start(`swift-${ring}-server`, join(folder, `${ring}.conf`));
    }
    await writeFile(join(folder, 'proxy.conf'), proxyConfiguration(folder, proxy, memory));
    start('swift-proxy-server', join(folder, 'proxy.conf'));
    const endpoint = `http://127.0.0.1:${proxy}`;
    await untilAnswers(endpoint);
    return { endpoint, accessKeyId: 'test:tester', secretAccessKey: 'testing', stop };
  } catch (cause) {
    await stop();
    throw new Error(`Swift did not start; is all of it there (${SWIFT})?`, { cause });
  }
}

const common = (folder: string, port: number) => `
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${port}
user = ${userInfo().username}
swift_dir = ${folder}
devices = ${folder}/srv
mount_check = false
disable_fallocate = true
workers = 0
`;

const serverConfiguration = (folder: string, ring: (typeof RINGS)[number], port: number) => `
${common(folder, port)}
[pipeline:main]
pipeline = ${ring}-server
[app:${ring}-server]
use = egg:swift#${ring}
`;

const proxyConfiguration = (folder: string, port: number, memory: number) => `
${common(folder, port)}
[pipeline:main]
pipeline = ${Object.keys(FILTERS).join(' ')} proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
${Object.entries(FILTERS)
  .map(([name, egg]) => `[filter:${name}]\nuse = egg:swift#${egg}\n${OPTIONS[name] ?? ''}`)
  .map((section) => section.replace('MEMORY', String(memory)))
  .join('\n')}
`;

const OPTIONS: Readonly<Record<string, string>> = {
  cache: 'memcache_servers = 127.0.0.1:MEMORY',
  s3api: 'location = us-east-1',
  tempauth: 'user_test_tester = testing .admin',
};
