import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/**
 * Leaves GET and HEAD of these urls to an app of its own that is made when somebody first asks for one of them: few do,
 * and making it would slow down every start. When it cannot be made the request is refused with that, and the next one tries again.
 */
export function answerLazily(
  app: FastifyInstance,
  urls: readonly string[],
  make: () => Promise<FastifyInstance>,
): void {
  let making: Promise<FastifyInstance> | undefined;
  async function made(): Promise<FastifyInstance> {
    making ??= make();
    try {
      return await making;
    } catch (error) {
      making = undefined;
      throw error;
    }
  }

  async function handOver(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { routing } = await made();
    for (const [name, value] of Object.entries(reply.getHeaders())) {
      if (value !== undefined) reply.raw.setHeader(name, value);
    }
    request.raw.headers['x-request-id'] = request.id;
    reply.hijack();
    routing(request.raw, reply.raw);
  }

  for (const url of urls) app.get(url, handOver);
  app.addHook('onClose', async () => {
    await making?.then((inner) => inner.close());
  });
}
