import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { platform } from 'node:process';
import { pathToFileURL } from 'node:url';
import { CODES_FOLDER } from '../console-codes.ts';

/**
 * Has the desktop open a link, if there is one; that there is none is no error. What a program is started with all users
 * of a machine can see, so it is told a file of ours that leads to the link. The file goes with the old codes.
 */
export async function openInBrowser(link: string, dataDir: string): Promise<void> {
  const file = join(dataDir, CODES_FOLDER, `open-${randomUUID()}.html`);
  const page = `<!doctype html><meta http-equiv="refresh" content="0;url=${link}"><a href="${link}">media-prompts</a>\n`;
  await writeFile(file, page, { mode: 0o600, flag: 'wx' });
  const opener = spawn(platform === 'darwin' ? 'open' : 'xdg-open', [pathToFileURL(file).href], {
    detached: true,
    stdio: 'ignore',
  });
  opener.on('error', () => undefined);
  opener.unref();
}
