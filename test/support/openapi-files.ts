import { fileURLToPath } from 'node:url';
import { generateSource } from 'oazapfts';
import { openApiDocument } from '../../src/http/openapi.ts';

/** The committed copy of the API document, and the client that a generator makes of it. */
export const DOCUMENT_FILE = fileURLToPath(new URL('../../docs/openapi.json', import.meta.url));
export const CLIENT_FILE = fileURLToPath(new URL('../client/api.ts', import.meta.url));

export const documentSource = (): string => `${JSON.stringify(openApiDocument(), null, 2)}\n`;

/** Reads DOCUMENT_FILE. */
export const clientSource = async (): Promise<string> => await generateSource(DOCUMENT_FILE);
