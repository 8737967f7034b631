import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import fastifyMultipart from '@fastify/multipart';
import fastify from 'fastify';
import pg from 'pg';

/**
 * An upload as tutorials have it, made safe: Fastify and @fastify/multipart, the file piped through a hash into a
 * write stream, fsync, rename, one INSERT. It inspects nothing. Arguments: folder, port, database url.
 */
const [folder = '.', port = '0', connectionString = ''] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString, max: 10 });
await pool.query(
  'create table if not exists uploads (id bigserial primary key, name text unique, path text, sha256 text, size bigint)',
);
await mkdir(folder, { recursive: true });

const app = fastify();
await app.register(fastifyMultipart, { limits: { fileSize: 52_428_800 } });
app.post('/upload', async (request, reply) => {
  const part = await request.file();
  if (part === undefined) return await reply.code(400).send({ error: 'no file' });
  const id = randomUUID();
  const arriving = join(folder, `${id}.part`);
  const path = join(folder, `${id}.wav`);
  const hash = createHash('sha256');
  let size = 0;
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      size += chunk.byteLength;
      done(null, chunk);
    },
  });
  await pipeline(part.file, meter, createWriteStream(arriving));
  const file = await open(arriving, 'r+');
  await file.sync();
  await file.close();
  await rename(arriving, path);
  const { name } = part.fields as { name?: { value?: string } };
  await pool.query('insert into uploads (name, path, sha256, size) values ($1, $2, $3, $4)', [
    name?.value,
    path,
    hash.digest('hex'),
    size,
  ]);
  return await reply.code(201).send({ id, path });
});
await app.listen({ host: '127.0.0.1', port: Number(port) });
