import { writeFile } from 'node:fs/promises';
import { CLIENT_FILE, clientSource, DOCUMENT_FILE, documentSource } from './openapi-files.ts';

// The client is made of the document as it was written.
await writeFile(DOCUMENT_FILE, documentSource());
await writeFile(CLIENT_FILE, await clientSource());
