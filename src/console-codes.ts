import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSigner, createVerifier } from 'fast-jwt';
import { z } from 'zod';
import { signToken, type TokenRequest } from './token.ts';

/** For whom a code signs in, and for how long. */
export type ConsoleGrant = Pick<TokenRequest, 'userId' | 'orgUnitId' | 'role' | 'expiresIn'>;

export interface ConsoleCodesOptions {
  readonly dataDir: string;
  /** What the tokens of this service are signed with. */
  readonly secret: string;
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
}

/** Codes that each sign somebody in to the console, once. Whoever shares the data folder knows of all of them. */
export interface ConsoleCodes {
  /** A new code, good for one exchange within `CODE_MINUTES`. */
  issue(grant: ConsoleGrant): Promise<string>;
  /**
   * The token that a code stands for; undefined for one that is no code, was used or is too old. However many ask
   * together, in however many processes, one gets it.
   */
  exchange(code: string): Promise<string | undefined>;
}

export const CODE_MINUTES = 10;
/** Below the data folder. */
export const CODES_FOLDER = 'console-codes';
const CODE_BYTES = 32;
const CODE = /^[\w-]{43}$/;
/** What `authenticate` refuses, so that a note from the folder is never a token. */
const NOTE_TYPE = 'console-code';

const noteSchema = z.object({
  jti: z.string(),
  grant: z.object({
    userId: z.number(),
    orgUnitId: z.number(),
    role: z.enum(['admin', 'standard', 'read_only']),
    expiresIn: z.string(),
  }),
});

/**
 * Keeps each code as a file that is named after its hash, so that who reads the folder can sign in with none of them.
 * What it grants is signed in there, so that who writes to the folder can grant nothing.
 */
export function createConsoleCodes(options: ConsoleCodesOptions): ConsoleCodes {
  const { secret, issuer, audience } = options;
  const folder = join(options.dataDir, CODES_FOLDER);
  const sign = createSigner({
    key: secret,
    algorithm: 'HS256',
    expiresIn: `${CODE_MINUTES}m`,
    header: { alg: 'HS256', typ: NOTE_TYPE },
  });
  const verify = createVerifier({
    key: secret,
    algorithms: ['HS256'],
    checkTyp: NOTE_TYPE,
    requiredClaims: ['exp'],
  });

  return {
    async issue(grant) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await removeOld(folder);
      const code = randomBytes(CODE_BYTES).toString('base64url');
      const hash = hashOf(code);
      await writeFile(join(folder, hash), sign({ jti: hash, grant }), { mode: 0o600, flag: 'wx' });
      return code;
    },

    async exchange(code) {
      if (!CODE.test(code)) return undefined;
      const hash = hashOf(code);
      const note = await takeOnce(join(folder, hash));
      if (note === undefined) return undefined;
      const grant = grantIn(note, hash);
      return grant && signToken(secret, { ...grant, issuer, audience });
    },
  };

  function grantIn(note: string, hash: string): ConsoleGrant | undefined {
    try {
      const { jti, grant } = noteSchema.parse(verify(note));
      return jti === hash ? grant : undefined;
    } catch {
      return undefined;
    }
  }
}

const hashOf = (code: string) => createHash('sha256').update(code).digest('hex');

/** The content of a file that is removed by it. Of all who come together only one removes it, and only that one gets it. */
async function takeOnce(path: string): Promise<string | undefined> {
  try {
    const content = await readFile(path, 'utf8');
    await unlink(path);
    return content;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function removeOld(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    try {
      const { mtimeMs } = await stat(path);
      if (Date.now() - mtimeMs > CODE_MINUTES * 60_000) await unlink(path);
    } catch (error) {
      // Somebody else was quicker.
      if (!isMissing(error)) throw error;
    }
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
