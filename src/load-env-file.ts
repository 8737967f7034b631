import { existsSync } from 'node:fs';
import process from 'node:process';

/** Variables already set win over those of the file. To be imported for its effect, by entry points alone. */
const ENV_FILE = '.env';

if (existsSync(ENV_FILE)) process.loadEnvFile(ENV_FILE);
