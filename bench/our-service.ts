import { join } from 'node:path';
import process from 'node:process';
import { output, type Running, start } from './processes.ts';

export interface OurService extends Running {
  readonly token: string;
  readonly dataDir: string;
}

/** As `npm start` runs it. */
const FLAGS = ['--enable-source-maps', '--max-semi-space-size=1', 'dist/src/main.js'] as const;

/** The built service with its production settings and a token for it. */
export async function startService(
  folder: string,
  port: number,
  settings: Readonly<Record<string, string>> = {},
): Promise<OurService> {
  const dataDir = join(folder, 'data');
  const env = {
    DATA_DIR: dataDir,
    PORT: String(port),
    LOG_LEVEL: 'warn',
    RATE_LIMIT_PER_MINUTE: '0',
    RATE_LIMIT_PER_MINUTE_PER_ADDRESS: '0',
    ...settings,
  };
  const server = await start([process.execPath, ...FLAGS], `http://127.0.0.1:${port}`, env);
  const token = await output(['env', `DATA_DIR=${dataDir}`, process.execPath, 'src/cli.ts', 'token']);
  return { ...server, token: token.trim(), dataDir };
}
