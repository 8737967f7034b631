import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { expect } from 'vitest';

export const hasNginx = spawnSync('nginx', ['-v']).error === undefined;

export interface Nginx {
  stop(): Promise<void>;
}

/**
 * Runs nginx with a configuration for its http block, which may name a folder of its own, until it is stopped. Resolves
 * once it answers on all `ports`, whatever it answers; fails with what it says when it ends instead.
 */
export async function startNginx(
  configuration: (folder: string) => string,
  ports: readonly number[],
): Promise<Nginx> {
  const folder = await mkdtemp(join(tmpdir(), 'media-prompts-nginx-'));
  await writeFile(join(folder, 'media-prompts.conf'), configuration(folder));
  await writeFile(join(folder, 'nginx.conf'), main(folder));
  await mkdir(join(folder, 'temp'));
  // nginx's workers may be another user.
  await chmod(folder, 0o755);
  const [program, ...args] = ['nginx', '-p', folder, '-c', join(folder, 'nginx.conf')] as const;
  const nginx = spawn('setpriv', ['--pdeathsig', 'TERM', program, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  nginx.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const answers = async () => {
    if (nginx.exitCode !== null) throw new Error('nginx ended');
    for (const port of ports) await (await fetch(`http://127.0.0.1:${port}/`)).text();
    return 'answers';
  };
  await expect
    .poll(() => answers().catch((error: unknown) => String(error) + said), { timeout: 10_000 })
    .toBe('answers');
  return {
    async stop() {
      const ended = once(nginx, 'exit');
      nginx.kill('SIGTERM');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** What a distribution's own nginx.conf has around an include. */
function main(folder: string): string {
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${join(folder, 'temp', name)};`,
  );
  return `
    daemon off;
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    pid ${join(folder, 'pid')};
    error_log stderr error;
    events { }
    http {
      access_log off;
      include /etc/nginx/mime.types;
      default_type application/octet-stream;
      gzip on;
      ${temp.join('\n')}
      include ${join(folder, 'media-prompts.conf')};
    }`;
}
