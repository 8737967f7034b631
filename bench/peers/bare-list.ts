import { createServer } from 'node:http';
import process from 'node:process';
import pg from 'pg';

/** A page of a list with nothing around it: pg, one query without a total, JSON.stringify. Arguments: port, database url. */
const [port = '0', connectionString = ''] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString, max: 10 });
const PAGE = `select p.id, p.uuid, p.org_unit_id, p.name, p.message_type, p.recording_file_type, p.recording_created_by,
  p.description, p.created_on, p.modified_on, r.blob_name, r.original_filename, r.file_size, r.sha256, r.container,
  r.codec, r.sample_rate, r.channels, r.duration_ms
  from prompts p join recordings r on r.id = p.recording_id
  where p.org_unit_id = $1 and p.message_type = $2 order by p.created_on desc, p.id desc limit 50`;

createServer((request, response) => {
  const { searchParams } = new URL(request.url ?? '', 'http://localhost');
  const unit = searchParams.get('org_unit_id');
  if (unit === null) {
    response.writeHead(404).end();
    return;
  }
  pool.query(PAGE, [unit, searchParams.get('message_type')]).then(
    ({ rows }) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(rows)),
    () => response.writeHead(500).end(),
  );
}).listen(Number(port), '127.0.0.1');
