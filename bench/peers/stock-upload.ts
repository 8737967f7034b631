import process from 'node:process';
import fastifyMultipart from '@fastify/multipart';
import fastify from 'fastify';
import { openUploads } from './keep-file.ts';

/** An upload as tutorials have it, made safe: Fastify and @fastify/multipart. Arguments: folder, port, database url. */
const [folder = '.', port = '0', connectionString = ''] = process.argv.slice(2);
const uploads = await openUploads(folder, connectionString);

const app = fastify();
await app.register(fastifyMultipart, { limits: { fileSize: 52_428_800 } });
app.post('/upload', async (request, reply) => {
  const part = await request.file();
  if (part === undefined) return await reply.code(400).send({ error: 'no file' });
  const kept = await uploads.keepFile(part.file);
  const { name } = part.fields as { name?: { value?: string } };
  await uploads.keepRow(name?.value, kept);
  return await reply.code(201).send(kept);
});
await app.listen({ host: '127.0.0.1', port: Number(port) });
