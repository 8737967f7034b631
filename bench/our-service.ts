import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { signToken } from '../src/token.ts';
import { freeAddress, type Running, start } from './processes.ts';

export interface OurService extends Running {
  readonly token: string;
  /** Of several users. What one token may have at once is bounded, and that bound is not what is measured. */
  readonly tokens: readonly string[];
  readonly dataDir: string;
}

export interface OurSettings {
  readonly env?: Readonly<Record<string, string>>;
  /** Options for Node before the program, such as a module to load first. */
  readonly nodeOptions?: readonly string[];
}

/** What is measured: the build, unless somebody wants to see only that the benchmarks work. */
export const PROGRAM = process.env['BENCH_PROGRAM'] ?? 'dist/main.js';

/** As `npm start` runs it. */
const FLAGS = [
  '--enable-source-maps',
  '--max-semi-space-size=4',
  '--heap-growing-percent=50',
  '--expose-gc',
] as const;
const SECRET = 'a secret for benchmarks that is long enough';
const USERS = 4;

/**
 * The built service with its production settings, and tokens for it. Without a `DATABASE_URL` its data are in
 * `folder`, and its database is the embedded one. Not as in production: it counts no requests against a limit, since
 * one client is all the load; it logs warnings only, as the peers log nothing; and an upload waits ten minutes for
 * its turn, since a slow disk shall give a figure and no refusal.
 */
export async function startService(
  folder: string,
  { env = {}, nodeOptions = [] }: OurSettings = {},
): Promise<OurService> {
  const dataDir = join(folder, 'data');
  await mkdir(folder, { recursive: true });
  const { port, base } = await freeAddress();
  const command = [process.execPath, ...FLAGS, ...nodeOptions, resolve(PROGRAM)] as const;
  // In its own folder it finds no .env.
  const server = await start(command, base, {
    cwd: folder,
    env: {
      DATA_DIR: dataDir,
      PORT: String(port),
      JWT_SECRET: SECRET,
      LOG_LEVEL: 'warn',
      RATE_LIMIT_PER_MINUTE: '0',
      RATE_LIMIT_PER_MINUTE_PER_ADDRESS: '0',
      UPLOAD_QUEUE_SECONDS: '600',
      // No peer converts anything.
      RENDITION_ENGINE: 'off',
      // The database is one that no pooler shares.
      DATABASE_PREPARED_STATEMENTS: 'on',
      ...env,
    },
  });
  const tokens = Array.from({ length: USERS }, (_, user) =>
    signToken(SECRET, { userId: user + 1, orgUnitId: 1, role: 'admin', expiresIn: '12h' }),
  );
  return { ...server, tokens, token: tokens[0] ?? '', dataDir };
}
