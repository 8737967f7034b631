import process from 'node:process';
import fastifyStatic from '@fastify/static';
import fastify from 'fastify';

/** A folder served as the documentation of @fastify/static has it. Arguments: folder, port. */
const [folder = '.', port = '0'] = process.argv.slice(2);
const app = fastify();
await app.register(fastifyStatic, { root: folder });
await app.listen({ host: '127.0.0.1', port: Number(port) });
process.stdout.write('ready\n');
