import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort, untilAnswers } from './ports.ts';

const run = promisify(execFile);

/** A running object store that speaks S3, and who may use it. */
export interface ObjectStore {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  stop(): Promise<void>;
}

/** What has to be installed. */
export const CEPH = 'radosgw ceph-mon ceph-osd ceph-mgr ceph-common';

/**
 * How often each step is tried. Now and then a client speaks to the monitor before it has heard which cluster this is, and
 * is refused.
 */
const MOST_TRIES = 10;
const REFUSED = /EPERM|not permitted/i;
/** Before the next try, ms. */
const PAUSE = 200;

/** Bytes that the store may hold. */
const CAPACITY = 2 * 1024 ** 3;

const KEY = { accessKeyId: 'test', secretAccessKey: 'a secret of the test store' };

/**
 * Starts a Ceph of one machine: a monitor, one OSD that keeps everything in memory, and the gateway that speaks S3, all on
 * the loopback address and as children of this process. It takes some ten seconds and 100 MB.
 */
export async function startCeph(): Promise<ObjectStore> {
  const folder = await mkdtemp(join(tmpdir(), 'media-prompts-ceph-'));
  const children: ChildProcess[] = [];
  const stop = async () => {
    for (const child of children.reverse()) await ended(child);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const [monitor, gateway] = [await freePort(), await freePort()];
    const conf = join(folder, 'ceph.conf');
    const fsid = randomUUID();
    for (const name of ['mon', 'osd', 'rgw', 'run']) await mkdir(join(folder, name));
    await writeFile(conf, configuration({ folder, fsid, monitor, gateway }));
    const start = (program: string, args: readonly string[], left = MOST_TRIES) => {
      const child = launch(folder, program, ['-c', conf, '-f', ...args]);
      children.push(child);
      child.once('exit', (code) => {
        if (code !== null && code !== 0 && left > 1) start(program, args, left - 1);
      });
    };

    const map = join(folder, 'monmap');
    const keyring = join(folder, 'keyring');
    await run('monmaptool', ['--create', '--fsid', fsid, '--addv', 'a', `v1:127.0.0.1:${monitor}`, map]);
    await run('ceph-authtool', [
      '--create-keyring',
      keyring,
      '--gen-key',
      '-n',
      'mon.',
      '--cap',
      'mon',
      'allow *',
    ]);
    await run('ceph-mon', ['-c', conf, '-i', 'a', '--mkfs', '--monmap', map, '--keyring', keyring]);
    start('ceph-mon', ['-i', 'a']);
    const osd = randomUUID();
    await patiently('ceph', ['-c', conf, '--connect-timeout', '20', 'osd', 'new', osd, '0']);
    await run('ceph-osd', ['-c', conf, '-i', '0', '--mkfs', '--osd-uuid', osd]);
    start('ceph-osd', ['-i', '0']);
    start('radosgw', ['-n', 'client.admin']);
    const endpoint = `http://127.0.0.1:${gateway}`;
    await untilAnswers(endpoint);
    await patiently('radosgw-admin', [
      ...['-c', conf, 'user', 'create', '--uid=test', '--display-name=test'],
      ...[`--access-key=${KEY.accessKeyId}`, `--secret-key=${KEY.secretAccessKey}`],
    ]);
    return { endpoint, ...KEY, stop };
  } catch (cause) {
    const log = await readFile(join(folder, 'log'), 'utf8').catch(() => '');
    await stop();
    throw new Error(`Ceph did not start; is all of it there (${CEPH})?\n${log.slice(-2000)}`, { cause });
  }
}

/** Runs what may be refused for a moment and changes nothing when it is. */
async function patiently(program: string, args: readonly string[], left = MOST_TRIES): Promise<void> {
  try {
    await run(program, args);
  } catch (error) {
    if (left === 1 || !REFUSED.test(String(error))) throw error;
    await delay(PAUSE);
    await patiently(program, args, left - 1);
  }
}

/** A child that ends with this process, however that ends. */
export function launch(folder: string, program: string, args: readonly string[]): ChildProcess {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', program, ...args], {
    cwd: folder,
    stdio: 'ignore',
    env: { PATH: process.env['PATH'] ?? '', HOME: folder },
  });
  // Who waits for it to answer says that it does not.
  child.on('error', () => undefined);
  return child;
}

/** Kills a child and waits for its end. */
export async function ended(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await exit;
}

function configuration(at: {
  readonly folder: string;
  readonly fsid: string;
  readonly monitor: number;
  readonly gateway: number;
}): string {
  const { folder, fsid, monitor, gateway } = at;
  return `
[global]
fsid = ${fsid}
mon host = v1:127.0.0.1:${monitor}
mon initial members = a
auth cluster required = none
auth service required = none
auth client required = none
ms bind msgr2 = false
public network = 127.0.0.0/8
public addr = 127.0.0.1
cluster addr = 127.0.0.1
run dir = ${folder}/run
admin socket = ${folder}/run/$name.asok
log file = ${folder}/log
crash dir = ${folder}/run
setuser match path = /nonexistent
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 1000
[mon]
mon data = ${folder}/mon
mon data avail crit = 1
[osd]
osd data = ${folder}/osd
osd objectstore = memstore
memstore device bytes = ${CAPACITY}
osd op num shards = 1
osd class load list = *
osd class default list = *
[client]
rgw data = ${folder}/rgw
rgw frontends = beast endpoint=127.0.0.1:${gateway}
rgw thread pool size = 64
rgw enable ops log = false
rgw enable usage log = false
rgw dns name = localhost
rgw crypt require ssl = false
`;
}
