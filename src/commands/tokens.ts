import { isIPv6 } from 'node:net';
import { stdout } from 'node:process';
import { type Command, Option } from 'commander';
import type { Config } from '../config.ts';
import { CODE_MINUTES, createConsoleCodes } from '../console-codes.ts';
import type { Role } from '../http/authentication.ts';
import { loadOrCreateSecret } from '../jwt-secret.ts';
import { signToken } from '../token.ts';
import { address, positive, span } from './arguments.ts';
import type { Host } from './keeping.ts';
import { openInBrowser } from './open-in-browser.ts';

interface Bearer {
  readonly orgUnit: number;
  readonly role: Role;
  readonly user: number;
  readonly expires: string;
}

/** Adds the commands that let somebody in: `token` for programs, `console` for people. */
export function addTokenCommands(program: Command, host: Host): void {
  forBearer(program.command('token'))
    .description('print a token for the API, and nothing else')
    .action(async (options: Bearer) => {
      const { tokens } = host.config();
      const secret = await signingSecret(tokens);
      const { issuer, audience } = tokens;
      host.console.print(signToken(secret, { ...grantOf(options), issuer, audience }));
    });

  forBearer(program.command('console'))
    .description(`print a link that signs in to the console, once, within ${CODE_MINUTES} minutes`)
    .option(
      '--url <address>',
      'where the service is reached; by default PUBLIC_BASE_URL, or HOST and PORT',
      address,
    )
    .option('--no-open', 'do not open it in a browser, as on a terminal is done')
    .action(async ({ url, open, ...options }: Bearer & { url?: string; open: boolean }) => {
      const config = host.config();
      if (!config.hasConsole) throw new Error('There is no console with CONSOLE=off.');
      const base = url ?? addressOf(config);
      const secret = await signingSecret(config.tokens);
      const { dataDir, tokens } = config;
      const codes = createConsoleCodes({ dataDir, secret, issuer: tokens.issuer, audience: tokens.audience });
      const link = `${base}/console#code=${await codes.issue(grantOf(options))}`;
      host.console.print(link);
      if (open && stdout.isTTY) await openInBrowser(link, dataDir);
    });
}

function forBearer(command: Command): Command {
  return command
    .option('--org-unit <id>', 'org unit that the token reaches, with everything below it', positive, 1)
    .addOption(
      new Option('--role <role>', 'what the token may do')
        .choices(['admin', 'standard', 'read_only'])
        .default('standard'),
    )
    .option('--user <id>', 'user ID that uploads are credited to', positive, 1)
    .option('--expires <span>', 'how long it is valid, such as 12h or 30d', span, '12h');
}

const grantOf = ({ orgUnit, user, role, expires }: Bearer) => ({
  orgUnitId: orgUnit,
  userId: user,
  role,
  expiresIn: expires,
});

async function signingSecret({ key }: Config['tokens']): Promise<string> {
  if (key.kind === 'secret') return key.secret;
  if (key.kind === 'secret-file') return await loadOrCreateSecret(key.path);
  throw new Error(
    'Tokens are checked with a public key here, so only the holder of the private key can make one.',
  );
}

/** @throws Error when it cannot be told */
function addressOf({ publicBaseUrl, host, port }: Config): string {
  if (publicBaseUrl !== undefined) return publicBaseUrl;
  if (port === 0)
    throw new Error('With PORT=0 only the log of the service knows the address; say it with --url.');
  const reached = { '0.0.0.0': '127.0.0.1', '::': '[::1]' }[host] ?? (isIPv6(host) ? `[${host}]` : host);
  return `http://${reached}:${port}`;
}
