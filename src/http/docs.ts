import type { FastifyInstance } from 'fastify';
import { answerLazily } from './lazy-app.ts';

/** `/openapi.json` and a page at `/docs` that shows it. Making them took a sixth of a start. */
export async function docs(app: FastifyInstance): Promise<void> {
  answerLazily(app, ['/openapi.json', '/docs', '/docs/*'], async () => {
    const { buildDocsPage } = await import('./docs-page.ts');
    return await buildDocsPage();
  });
}
