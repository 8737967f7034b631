import { isBeingRestored } from './backup/restore.ts';
import { ConfigError } from './config.ts';

/** To be called before anything in the folder is opened. @throws ConfigError when a restore into it was cut off */
export async function assertWhole(dataDir: string): Promise<void> {
  if (await isBeingRestored(dataDir)) {
    throw new ConfigError(
      `A restore into ${dataDir} is not finished; run the same restore again, or set DATA_DIR to another folder.`,
    );
  }
}
