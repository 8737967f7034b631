import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Config } from './config.ts';
import { CODE_MINUTES, createConsoleCodes } from './console-codes.ts';
import type { Running } from './running.ts';
import { signToken } from './token.ts';

/** npm starts the service in the folder of the project. */
const SAMPLE = resolve('test/fixtures/welcome.wav');
/** Whoever sees the terminal of the service may do everything in the first org unit, for half a day. */
const OPERATOR = { userId: 1, orgUnitId: 1, role: 'admin', expiresIn: '12h' } as const;

/**
 * What a terminal shows: a link that signs in to the console, once, and as long as there is no prompt a line that
 * uploads one when pasted. It holds a code and a token, so it must never go where output is kept. Empty when tokens come
 * from elsewhere.
 */
export async function welcome(
  { secret, isEmpty }: Pick<Running, 'secret' | 'isEmpty'>,
  address: string,
  config: Pick<Config, 'tokens' | 'dataDir' | 'hasConsole'>,
): Promise<string> {
  if (secret === undefined) return '';
  const link = config.hasConsole ? await linkToConsole(secret, address, config) : '';
  return link + ((await isEmpty()) ? lineToPaste(secret, address, config.tokens) : '');
}

async function linkToConsole(
  secret: string,
  address: string,
  { tokens, dataDir }: Pick<Config, 'tokens' | 'dataDir'>,
): Promise<string> {
  const { issuer, audience } = tokens;
  const code = await createConsoleCodes({ dataDir, secret, issuer, audience }).issue(OPERATOR);
  return `
See, hear and upload prompts in the browser. This link signs you in, once, within ${CODE_MINUTES} minutes:

${address}/console#code=${code}

For another one: npm run -s cli -- console

`;
}

function lineToPaste(secret: string, address: string, { issuer, audience }: Config['tokens']): string {
  const token = signToken(secret, { ...OPERATOR, issuer, audience });
  const file = existsSync(SAMPLE) ? SAMPLE : 'your-prompt.wav';
  return `
No prompts yet. Paste this into another terminal to upload one:

curl -F file=@${file} -F "name=Hello $(date +%T)" -F message_type=prompt \\
  -H "Authorization: Bearer ${token}" ${address}/v3/media-prompts

`;
}
