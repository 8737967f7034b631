import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/**
 * `/openapi.json` and a page at `/docs` that shows it. Few ask for them, and making them took a sixth of a start: they
 * are made when somebody first does.
 */
export async function docs(app: FastifyInstance): Promise<void> {
  let making: Promise<FastifyInstance> | undefined;
  async function page(): Promise<FastifyInstance> {
    making ??= import('./docs-page.ts').then(({ buildDocsPage }) => buildDocsPage());
    try {
      return await making;
    } catch (error) {
      making = undefined;
      throw error;
    }
  }

  async function handOver(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { routing } = await page();
    for (const [name, value] of Object.entries(reply.getHeaders())) {
      if (value !== undefined) reply.raw.setHeader(name, value);
    }
    request.raw.headers['x-request-id'] = request.id;
    reply.hijack();
    routing(request.raw, reply.raw);
  }

  for (const url of ['/openapi.json', '/docs', '/docs/*']) app.get(url, handOver);
  app.addHook('onClose', async () => {
    await making?.then((made) => made.close());
  });
}
