import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import { basename, join } from 'node:path';
import process from 'node:process';
import { pipeline } from 'node:stream/promises';

/** The least that Node can do with a file: a body piped into it. Arguments: folder, port. */
const [folder = '.', port = '0'] = process.argv.slice(2);
await mkdir(folder, { recursive: true });
createServer((request, response) => {
  if (request.method !== 'PUT') {
    response.writeHead(404).end();
    return;
  }
  pipeline(request, createWriteStream(join(folder, basename(request.url ?? '')))).then(
    () => response.writeHead(201).end(),
    () => response.destroy(),
  );
}).listen(Number(port), '127.0.0.1');
