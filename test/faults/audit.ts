import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { expect } from 'vitest';
import type { Book, Entry } from './book.ts';
import { type Ask, createAsk, parse, V1, V3 } from './http.ts';
import { databaseOf, type Service } from './service.ts';

interface Row {
  readonly name: string;
  readonly id: string;
  readonly uuid: string;
  readonly blob: string;
  readonly sha256: string;
  readonly size: string;
  readonly state: string | null;
  readonly extension: string | null;
}

export interface AuditOptions {
  /** Waits until leases have run out and sweeps are done, and then takes nothing but kept bytes. */
  readonly isSettled?: boolean;
  /** Reads every file again, also those of earlier audits. */
  readonly isWhole?: boolean;
}

const ROWS = `
  select p.name, p.id::text, p.uuid::text, r.blob_name as blob, r.sha256, r.file_size::text as size,
    b.state, b.extension
  from prompts p left join recordings r on r.id = p.recording_id left join blobs b on b.name = r.blob_name`;
const STRAYS = `
  select 'recording of no prompt ' || r.id as stray from recordings r
    where not exists (select 1 from prompts p where p.recording_id = r.id)
  union all
  select 'kept blob of nothing ' || b.name from blobs b
    where b.state = 'kept' and not exists (select 1 from recordings r where r.blob_name = b.name)
      and not exists (select 1 from renditions v where v.blob_name = b.name)`;
const RENDITIONS = `
  select v.kind as name, v.recording_id::text as id, '' as uuid, v.blob_name as blob, v.sha256,
    v.file_size::text as size, b.state, b.extension
  from renditions v left join blobs b on b.name = v.blob_name where v.state = 'ready'`;

const IN_FLIGHT = 8;
/** Files of earlier audits that were found whole: a process that is killed takes nothing of them back. */
const proven = new Set<string>();

/**
 * Holds answers, rows, bytes and files against each other, by content. No finding is acceptable: nothing that
 * was acknowledged is lost, nothing that was refused or deleted is there, whatever is there is whole, and no
 * file is there that the ledger does not know.
 */
export async function audit(service: Service, book: Book, options: AuditOptions = {}): Promise<void> {
  const { isSettled = false, isWhole = false } = options;
  const client = new pg.Client({ connectionString: await databaseOf(service) });
  await client.connect();
  const ask = createAsk(service.base);
  try {
    if (isSettled) await settled(client, service.lease);
    const uploads = join(service.root, service.dataDir, 'uploads');
    const fresh = isWhole ? [...book.entries.values()] : book.takeFresh();
    const rows = new Map((await client.query<Row>(ROWS)).rows.map((row) => [row.name, row]));
    const findings = [
      ...book.contradictions,
      ...(await client.query<{ stray: string }>(STRAYS)).rows.map(({ stray }) => stray),
      ...falseFates(book, rows),
      ...(await falseBytes([...rows.values()], uploads, isWhole)),
      ...(await falseBytes((await client.query<Row>(RENDITIONS)).rows, uploads, isWhole)),
      ...(await falseFiles(client, uploads, isSettled)),
      ...(await falseAnswers(ask, fresh, rows)),
    ];
    expect(findings).toEqual([]);
  } finally {
    ask.close();
    await client.end();
  }
}

/** Three leases: one that a dying process may just have renewed, one of a sweep that was killed, one to spare. */
async function settled(client: pg.Client, lease: number): Promise<void> {
  const giveUp = performance.now() + 3 * lease + 10_000;
  const open = "select name, state, lease_until from blobs where state <> 'kept' limit 3";
  for (;;) {
    const { rows } = await client.query(open);
    if (rows.length === 0) return;
    if (performance.now() > giveUp) throw new Error(`never swept: ${JSON.stringify(rows)}`);
    await delay(50);
  }
}

function falseFates(book: Book, rows: ReadonlyMap<string, Row>): string[] {
  const ofBook = [...book.entries.values()].flatMap(({ name, fate, sha256, id }) => {
    const row = rows.get(name);
    if (row === undefined) return fate === 'there' ? [`lost: ${name} was acknowledged and has no row`] : [];
    if (fate === 'gone') return [`there again: ${name} was refused or deleted and has a row`];
    if (row.sha256 !== sha256) return [`changed: ${name} is ${row.sha256} and not ${sha256}`];
    const isOther = id !== undefined && id !== row.id && id !== row.uuid;
    return isOther ? [`renumbered: ${name} is ${row.id} and not ${id}`] : [];
  });
  const unheardOf = [...rows.keys()].filter((name) => !book.entries.has(name));
  return [...ofBook, ...unheardOf.map((name) => `invented: ${name}`)];
}

async function falseBytes(rows: readonly Row[], uploads: string, isWhole: boolean): Promise<string[]> {
  const wanted = rows.filter(({ blob }) => isWhole || !proven.has(blob));
  return await inTurns(wanted, async ({ name, blob, sha256, state, extension }) => {
    if (state !== 'kept') return `unkept: ${name} has bytes that are ${state}`;
    const found = await sha256Of(join(uploads, 'call-flow-recordings', `${blob}.${extension}`));
    if (found !== sha256) return `damaged: ${name} has bytes of ${found} and not ${sha256}`;
    proven.add(blob);
    return undefined;
  });
}

/**
 * Files are listed first, so that a row that precedes its bytes is never missed; and looked for again at the end,
 * since a sweep may have taken first the bytes and then the row meanwhile.
 */
async function falseFiles(client: pg.Client, uploads: string, isSettled: boolean): Promise<string[]> {
  const folders = { published: join(uploads, 'call-flow-recordings'), arriving: join(uploads, '.arriving') };
  const published = await readdir(folders.published);
  const arriving = await readdir(folders.arriving);
  const { rows } = await client.query<{ name: string; state: string; extension: string }>(
    'select name, state, extension from blobs',
  );
  const known = new Map(rows.map((row) => [row.name, row]));
  const isKept = (file: string) => {
    const row = known.get(file.slice(0, file.indexOf('.')));
    return row?.state === 'kept' && file === `${row.name}.${row.extension}`;
  };
  const unknown = [
    ...published
      .filter((file) => !known.has(file.slice(0, file.indexOf('.'))))
      .map((file) => join(folders.published, file)),
    ...arriving.filter((file) => !known.has(file)).map((file) => join(folders.arriving, file)),
  ];
  const orphans = unknown.filter((path) => existsSync(path));
  const leftovers = isSettled ? [...published.filter((file) => !isKept(file)), ...arriving] : [];
  return [
    ...orphans.map((path) => `orphan: ${basename(path)} is in no ledger`),
    ...leftovers.map((file) => `left over: ${file}`),
  ];
}

/** Asks for each as a client would: its facts by its id, and its bytes by its url. */
async function falseAnswers(
  ask: Ask,
  entries: readonly Entry[],
  rows: ReadonlyMap<string, Row>,
): Promise<string[]> {
  return await inTurns(entries, async (entry) => {
    const row = rows.get(entry.name);
    return row === undefined ? await falseAbsence(ask, entry) : await falsePresence(ask, entry, row.id);
  });
}

async function falseAbsence(ask: Ask, { name, dialect, id }: Entry): Promise<string | undefined> {
  if (id === undefined) return undefined;
  const { status } = await ask('GET', `${dialect === 'v1' ? V1 : V3}/${id}`);
  return status === 404 ? undefined : `${name} has no row and a GET of it is a ${status}`;
}

async function falsePresence(ask: Ask, { name, sha256 }: Entry, id: string): Promise<string | undefined> {
  const described = await ask('GET', `${V3}/${id}`);
  const { data } = parse(described.body) as { data?: { url?: string; sha256?: string; name?: string } };
  if (data?.name !== name || data.sha256 !== sha256)
    return `${name} is described otherwise: ${described.body}`;
  const played = await ask('GET', data.url ?? '');
  const heard = createHash('sha256').update(played.body).digest('hex');
  return played.status === 200 && heard === sha256 ? undefined : `${name} plays ${played.status} ${heard}`;
}

async function inTurns<T>(
  items: readonly T[],
  judge: (item: T) => Promise<string | undefined>,
): Promise<string[]> {
  const findings: string[] = [];
  const waiting = items.values();
  const worker = async () => {
    for (const item of waiting) {
      const finding = await judge(item);
      if (finding !== undefined) findings.push(finding);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  return findings;
}

async function sha256Of(path: string): Promise<string> {
  const isFile = await stat(path).then(
    (facts) => facts.isFile(),
    () => false,
  );
  if (!isFile) return 'no file';
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
