import { fileURLToPath } from 'node:url';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { success } from './envelope.ts';
import { invalidFields } from './failure.ts';
import { answerLazily } from './lazy-app.ts';
import { methodNotAllowed } from './method-not-allowed.ts';
import { check } from './validation.ts';

export interface ConsoleOptions {
  /** Where the built page lies. */
  readonly folder: string;
  /** The token that a one-time code stands for, once; undefined for any other text. */
  readonly tokenFor: (code: string) => Promise<string | undefined>;
}

/** Run from `dist` the page lies beside the code; from the sources, where the last build left it. */
export const BUILT_PAGE = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../../dist/console/' : './console/', import.meta.url),
);

const NO_CODE =
  'This link was used already, or it is older than ten minutes; make a new one with: npm run -s cli -- console';
const SESSION = '/console/session';
const session = z.object({
  code: z
    .string({ error: 'code is required: send the one-time code of a link.' })
    .max(100, { error: NO_CODE }),
});

/**
 * The web page for people at `/console`, and where it exchanges the one-time code of a link for a token. Everything else
 * the page does goes through the API. The page and what serves it are loaded when somebody first asks for them.
 */
export async function webConsole(app: FastifyInstance, options: ConsoleOptions): Promise<void> {
  answerLazily(app, ['/console', '/console/', '/console/assets/*'], async () => {
    const { buildConsolePage } = await import('./console-page.ts');
    return await buildConsolePage(options.folder);
  });
  app.post(SESSION, signIn);
  methodNotAllowed(app, SESSION, ['POST']);

  async function signIn(request: FastifyRequest, reply: FastifyReply) {
    const body: unknown = request.body;
    const checked = check(session, typeof body === 'object' && body !== null ? { ...body } : {});
    if (!checked.success) throw invalidFields(checked.faults);
    const token = await options.tokenFor(checked.data.code);
    if (token === undefined) throw invalidFields([{ field: 'code', code: 'invalid', message: NO_CODE }]);
    request.log.info('signed in to the console by a link');
    return await reply.header('cache-control', 'no-store').send(success({ token }, request.id));
  }
}
