import { link, open, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from '../blobs/sync-folder.ts';
import { BackupError } from './manifest.ts';

/**
 * Copies the file of a secret, readable by its owner alone and durable. The copy appears whole or not at all. One
 * that is there already is not overwritten, and where there is no secret, none is copied.
 *
 * @throws BackupError
 */
export async function copySecret(source: string, target: string): Promise<void> {
  try {
    // A library that nobody has made a token for has none.
    const secret = await readFile(source).catch(unless('ENOENT'));
    if (secret !== undefined) await writeWhole(target, secret);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new BackupError(`The secret in ${source} cannot be copied to ${target}: ${reason}.`, { cause });
  }
}

/** Written beside its place, then linked: a link fails where there is something. */
async function writeWhole(target: string, bytes: Uint8Array): Promise<void> {
  const draft = `${target}.partial`;
  await rm(draft, { force: true });
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(draft, target).catch(unless('EEXIST'));
  } finally {
    await rm(draft);
  }
  await syncFolder(dirname(target));
}

function unless(code: string): (error: unknown) => undefined {
  return (error) => {
    if (error instanceof Error && 'code' in error && error.code === code) return undefined;
    throw error;
  };
}
