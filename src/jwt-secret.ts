import { randomBytes, randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ConfigError } from './config.ts';

const SECRET_BYTES = 48;
/** As for a secret from the environment (RFC 7518, 3.2). */
const LEAST_BYTES = 32;

/**
 * The secret in this file; made first if there is none, readable by its owner alone and durable. Any number of
 * processes may ask at the same time: all get the same one.
 *
 * @throws ConfigError for a secret that is too short to sign with
 */
export async function loadOrCreateSecret(path: string): Promise<string> {
  const secret = (await load(path)) ?? (await create(path));
  if (Buffer.byteLength(secret) < LEAST_BYTES) {
    throw new ConfigError(
      `The secret in ${path} is shorter than ${LEAST_BYTES} bytes; delete the file to have a new one made, which ends all tokens.`,
    );
  }
  return secret;
}

async function load(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Written whole beside its place, then linked: a link fails where somebody else was first. */
async function create(path: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomUUID()}`;
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(`${randomBytes(SECRET_BYTES).toString('base64url')}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(draft, path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    await unlink(draft);
  }
  const folder = await open(dirname(path), 'r');
  await folder.sync().finally(() => folder.close());
  return (await readFile(path, 'utf8')).trim();
}
