import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Config } from './config.ts';
import type { Running } from './running.ts';
import { signToken } from './token.ts';

/** npm starts the service in the folder of the project. */
const SAMPLE = resolve('test/fixtures/welcome.wav');
const FIRST_ORG_UNIT = 1;

/**
 * What a terminal shows as long as there is no prompt: a line that uploads one when pasted. It holds a token,
 * so it must never go where output is kept. Empty when there are prompts, or tokens come from elsewhere.
 */
export async function welcome(
  { secret, isEmpty }: Pick<Running, 'secret' | 'isEmpty'>,
  address: string,
  { issuer, audience }: Config['tokens'],
): Promise<string> {
  if (secret === undefined || !(await isEmpty())) return '';
  const token = signToken(secret, {
    userId: 1,
    orgUnitId: FIRST_ORG_UNIT,
    role: 'admin',
    expiresIn: '12h',
    issuer,
    audience,
  });
  const file = existsSync(SAMPLE) ? SAMPLE : 'your-prompt.wav';
  return `
No prompts yet. Paste this into another terminal to upload one:

curl -F file=@${file} -F "name=Hello $(date +%T)" -F message_type=prompt \\
  -H "Authorization: Bearer ${token}" ${address}/v3/media-prompts

`;
}
