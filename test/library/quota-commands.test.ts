import { sql } from 'kysely';
import { expect, onTestFinished, test } from 'vitest';
import { cli } from '../e2e/service-process.ts';
import { fixture, promptForm } from '../support/multipart.ts';
import { startService } from '../support/service.ts';

const TONE = fixture('tone.wav').byteLength;

test('org-unit quota and usage say and set what an org unit may keep', async () => {
  const service = await startService();
  onTestFinished(() => service.close());
  const run = async (args: string, env: Readonly<Record<string, string>> = {}) => {
    const { code, stdout, stderr } = await cli(service.dataDir, ['org-unit', ...args.split(' ')], {
      DATABASE_URL: service.databaseUrl,
      ...env,
    });
    return code === 0 ? stdout : `${code}: ${stderr}`;
  };
  await sql`insert into org_units (id, parent_id, name, path)
    values (2, 1, 'Sales', '/1/2/'), (3, 2, 'North', '/1/2/3/'), (20, null, 'Other', '/20/')`.execute(
    service.db,
  );
  await service.upload(promptForm('One'));
  await service.upload(promptForm('Two', { org_unit_id: '3' }));
  await service.upload(promptForm('Three', { org_unit_id: '3' }));

  expect(await run('usage')).toBe(
    [
      `1\t1\t${TONE}\tnone\tDefault`,
      '2\t0\t0\tnone\tSales',
      `3\t2\t${2 * TONE}\tnone\tNorth`,
      '20\t0\t0\tnone\tOther\n',
    ].join('\n'),
  );

  expect(await run(`quota 3 ${3 * TONE}`)).toBe('');
  expect((await service.upload(promptForm('Four', { org_unit_id: '3' }))).status).toBe(201);
  expect((await service.upload(promptForm('Five', { org_unit_id: '3' }))).status).toBe(507);
  expect(await run('quota 2 none')).toBe('');
  expect(await run('usage 2', { STORAGE_QUOTA_BYTES: '77' })).toBe(
    `2\t0\t0\tnone\tSales\n3\t3\t${3 * TONE}\t${3 * TONE}\tNorth\n`,
  );
  expect(await run('quota 2 default')).toBe('');
  expect(await run('usage 2', { STORAGE_QUOTA_BYTES: '77' })).toBe(
    `2\t0\t0\t77\tSales\n3\t3\t${3 * TONE}\t${3 * TONE}\tNorth\n`,
  );

  expect(await run('quota 99 5')).toBe('1: There is no org unit 99; "org-unit list" shows all.\n');
  expect(await run('usage 99')).toBe('1: There is no org unit 99; "org-unit list" shows all.\n');
  for (const quota of ['0', '1e6', '9999999999999999']) {
    expect(await run(`quota 3 ${quota}`)).toContain(
      'It must be a number of bytes from 1, "none" or "default".',
    );
  }
}, 120_000);
