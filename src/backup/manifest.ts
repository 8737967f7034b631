import { access, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

/** What keeps a backup from being made or restored; the message tells the operator what to do. */
export class BackupError extends Error {
  override readonly name = 'BackupError';
}

/** In a backup: the facts about it. It is written last. */
const MANIFEST = 'manifest.json';
/** In a backup: the audio, under the keys that it has in the store. */
export const RECORDINGS = 'recordings';
/** In a backup: the secret that tokens are signed with, where the service made it itself. */
export const SECRET = 'jwt-secret';

const FORMAT = 1;

const manifest = z.object({
  format: z.literal(FORMAT),
  created_on: z.iso.datetime(),
  /** Of the schema, oldest first. */
  migrations: z.array(z.string()).min(1),
  last_ids: z.record(z.string(), z.number().int()),
  tables: z.record(
    z.string(),
    z.object({ rows: z.number().int(), bytes: z.number().int(), sha256: z.string() }),
  ),
  recordings: z.object({ files: z.number().int(), bytes: z.number().int() }),
  /** Blobs of prompts that were deleted while their audio was being copied: they are no part of the backup. */
  deleted_meanwhile: z.array(z.string()),
  /** Keys whose audio was missing, damaged or unreadable in the library itself. */
  faults: z.array(z.object({ key: z.string(), reason: z.string() })),
});

/** The facts about a backup. */
export type Manifest = z.output<typeof manifest>;

/** Writes the manifest, durable when this resolves. */
export async function writeManifest(folder: string, facts: Omit<Manifest, 'format'>): Promise<void> {
  const file = await open(join(folder, MANIFEST), 'wx', 0o600);
  try {
    await file.writeFile(`${JSON.stringify({ format: FORMAT, ...facts }, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** One bad file is a loss, a backup that is away is the end. @throws BackupError */
export async function assertStillThere(folder: string): Promise<void> {
  await access(join(folder, MANIFEST)).catch((cause: unknown) => {
    throw new BackupError(`${folder} is away; bring it back and run the same restore again.`, { cause });
  });
}

/** @throws BackupError where there is no whole backup that this version understands */
export async function readManifest(folder: string): Promise<Manifest> {
  const text = await readFile(join(folder, MANIFEST), 'utf8').catch((cause: unknown) => {
    throw new BackupError(`There is no whole backup in ${folder}; name the folder that backup has made.`, {
      cause,
    });
  });
  try {
    return manifest.parse(JSON.parse(text));
  } catch (cause) {
    throw new BackupError(
      `The manifest of ${folder} cannot be read; it is damaged or was made by a newer version of the service.`,
      { cause },
    );
  }
}
