import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { DumpedTable } from '../catalogue/dump.ts';
import { BackupError, type Manifest } from './manifest.ts';

const NEWLINE = 0x0a;

const pathOf = (folder: string, table: string) => join(folder, `${table}.ndjson`);

/** Writes the tables of a dump, one file each, one row a line. */
export function createTableWriter(folder: string, tables: readonly DumpedTable[]) {
  const facts: Manifest['tables'] = {};
  const files = new Map<string, FileHandle>();
  const hashes = new Map<string, ReturnType<typeof createHash>>();
  return {
    async open(): Promise<void> {
      for (const table of tables) {
        files.set(table, await open(pathOf(folder, table), 'wx', 0o600));
        hashes.set(table, createHash('sha256'));
        facts[table] = { rows: 0, bytes: 0, sha256: '' };
      }
    },
    async take(table: DumpedTable, lines: readonly string[]): Promise<void> {
      const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
      hashes.get(table)?.update(bytes);
      const fact = facts[table];
      if (fact !== undefined) {
        fact.rows += lines.length;
        fact.bytes += bytes.byteLength;
      }
      await files.get(table)?.writeFile(bytes);
    },
    /** The facts for the manifest; everything is durable. */
    async finish(): Promise<Manifest['tables']> {
      for (const [table, file] of files) {
        await file.sync();
        const fact = facts[table];
        if (fact !== undefined) fact.sha256 = hashes.get(table)?.digest('hex') ?? '';
      }
      return facts;
    },
    async close(): Promise<void> {
      for (const file of files.values()) await file.close();
    },
  };
}

/**
 * The rows of a table as lines of JSON. Not by node:readline, to which some characters that a name may have end a
 * line as well.
 */
export async function* readTable(folder: string, table: string): AsyncGenerator<string> {
  let rest = Buffer.alloc(0);
  for await (const chunk of createReadStream(pathOf(folder, table)) as AsyncIterable<Buffer>) {
    const bytes = Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      yield bytes.toString('utf8', start, end);
      start = end + 1;
    }
    rest = bytes.subarray(start);
  }
}

/** Reads all tables once. @throws BackupError when one is not what the manifest says */
export async function assertTablesWhole(folder: string, tables: Manifest['tables']): Promise<void> {
  for (const [table, { sha256 }] of Object.entries(tables)) {
    const hash = createHash('sha256');
    try {
      for await (const chunk of createReadStream(pathOf(folder, table))) hash.update(chunk as Buffer);
    } catch (cause) {
      throw new BackupError(`${pathOf(folder, table)} cannot be read; use another backup.`, { cause });
    }
    if (hash.digest('hex') !== sha256) {
      throw new BackupError(`${pathOf(folder, table)} is damaged; use another backup.`);
    }
  }
}
