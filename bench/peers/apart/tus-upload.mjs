import process from 'node:process';
import { FileStore } from '@tus/file-store';
import { Server } from '@tus/server';

/**
 * Resumable uploads as the documentation of @tus/server has them. It neither hashes nor syncs, keeps no row but a
 * JSON file beside each upload, and there is no form to take apart. Arguments: folder, port.
 */
const [folder = '.', port = '0'] = process.argv.slice(2);
const server = new Server({ path: '/files', datastore: new FileStore({ directory: folder }) });
server.listen({ host: '127.0.0.1', port: Number(port) });
