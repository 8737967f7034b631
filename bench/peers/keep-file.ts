import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import pg from 'pg';

/** A file that was taken. */
export interface Kept {
  readonly id: string;
  readonly path: string;
  readonly sha256: string;
  /** Bytes. */
  readonly size: number;
}

/**
 * What a tutorial's upload needs to be safe: the file piped through a hash into a write stream, fsync, rename, one
 * INSERT. It inspects nothing and does not sync the folder.
 */
export async function openUploads(folder: string, connectionString: string) {
  const pool = new pg.Pool({ connectionString, max: 10 });
  await pool.query(
    'create table if not exists uploads (id bigserial primary key, name text unique, path text, sha256 text, size bigint)',
  );
  await mkdir(folder, { recursive: true });
  return {
    async keepFile(source: Readable): Promise<Kept> {
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
      await pipeline(source, meter, createWriteStream(arriving));
      const file = await open(arriving, 'r+');
      await file.sync();
      await file.close();
      await rename(arriving, path);
      return { id, path, sha256: hash.digest('hex'), size };
    },
    async keepRow(name: string | undefined, { path, sha256, size }: Kept): Promise<void> {
      await pool.query('insert into uploads (name, path, sha256, size) values ($1, $2, $3, $4)', [
        name,
        path,
        sha256,
        size,
      ]);
    },
  };
}
