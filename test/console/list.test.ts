import { describe, expect } from 'vitest';
import { addOrgUnit } from '../../src/catalogue/org-units.ts';
import { promptForm, text } from '../support/multipart.ts';
import { putReport } from '../support/renditions.ts';
import { startService, type TestService, token } from '../support/service.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { eventually, expectNames, HAS_CHROMIUM, namesIn, openPrompt, signIn, test } from './console.ts';

const add = async (
  service: TestService,
  name: string,
  fields: Readonly<Record<string, string>> = {},
  file = 'tone.wav',
) => {
  const { status, body } = await service.upload([
    ...promptForm(name, {}, file).filter((part) => !(part.name in fields)),
    ...Object.entries(fields).map(([field, value]) => text(field, value)),
  ]);
  expect(status).toBe(201);
  return body.data;
};

describe.skipIf(!HAS_CHROMIUM)('the list', () => {
  test('says that there is nothing yet, and leads to uploading', async ({ look, folder }) => {
    const service = await startService({}, { consoleFolder: folder });
    const { page, complaints } = await look({ base: service.base });
    await signIn(page, service.base);
    await page.getByText('There are no prompts yet.').waitFor();
    await page.getByRole('button', { name: 'Upload the first' }).click();
    await page.getByRole('heading', { name: 'Upload' }).waitFor();
    expect(complaints).toEqual([]);
    await service.close();
  });

  test('is searched as one types, narrowed by type and org unit, and the address keeps it all', async ({
    service,
    look,
  }) => {
    const unit = await addOrgUnit(service.db, { name: 'Sales', parentId: 1 });
    const below = await addOrgUnit(service.db, { name: 'Sales in the north', parentId: unit?.id ?? 0 });
    await add(service, 'Alpha hello', { message_type: 'whisper' });
    await add(service, 'Beta hello', { org_unit_id: String(unit?.id) });
    await add(service, 'Gamma hello', { org_unit_id: String(below?.id) });
    await add(service, 'Delta 100%');
    const { page, complaints } = await look({ statuses: [404] });
    await signIn(page, service.base);
    const search = page.getByLabel('Search names');
    await search.pressSequentially('HELLO');
    await expectNames(page, ['Gamma hello', 'Beta hello', 'Alpha hello']);
    await page.getByRole('combobox', { name: 'Type' }).selectOption('Whisper');
    await expectNames(page, ['Alpha hello']);
    await page.getByRole('combobox', { name: 'Type' }).selectOption('All types');
    const units = page.getByRole('combobox', { name: 'Org unit' });
    await units.fill('sales');
    await page.getByRole('option', { name: `Sales ${unit?.id} Default`, exact: true }).click();
    await expectNames(page, ['Gamma hello', 'Beta hello']);
    await page
      .getByRole('row', { name: 'Beta hello' })
      .getByRole('cell', { name: 'Sales', exact: true })
      .waitFor();
    await page.getByRole('button', { name: 'Name' }).first().click();
    await expectNames(page, ['Beta hello', 'Gamma hello']);
    expect(await page.getByRole('columnheader', { name: 'Name' }).getAttribute('aria-sort')).toBe(
      'ascending',
    );

    const address = page.url();
    expect(new URL(address).search).toBe('');
    await page.reload();
    await expectNames(page, ['Beta hello', 'Gamma hello']);
    expect(await search.inputValue()).toBe('HELLO');
    await eventually(() => units.inputValue()).toBe('Sales');
    await page.getByRole('button', { name: 'Clear filters' }).click();
    await search.fill('100%');
    await expectNames(page, ['Delta 100%']);
    await search.fill('nothing is called this');
    await page.getByText('No prompt matches these filters.').waitFor();
    expect(complaints).toEqual([]);
  });

  test('is narrowed to an org unit from the keyboard, by its name or its ID', async ({ service, look }) => {
    const unit = await addOrgUnit(service.db, { name: 'Harbour', parentId: 1 });
    const below = await addOrgUnit(service.db, { name: 'Quay', parentId: unit?.id ?? 0 });
    await add(service, 'Of the harbour', { org_unit_id: String(unit?.id) });
    await add(service, 'Of the quay', { org_unit_id: String(below?.id) });
    const { page, complaints } = await look({ statuses: [404] });
    await signIn(page, service.base);
    const units = page.getByRole('combobox', { name: 'Org unit' });
    await units.focus();
    expect(await units.getAttribute('aria-expanded')).toBe('false');
    await units.pressSequentially('quay');
    const offered = page.getByRole('listbox', { name: 'Org units' }).getByRole('option');
    await page.getByRole('option', { name: `Quay ${below?.id} Default / Harbour`, selected: true }).waitFor();
    await units.press('Enter');
    await expectNames(page, ['Of the quay']);
    expect(await units.inputValue()).toBe('Quay');

    await units.fill(String(unit?.id));
    const first = offered.first();
    await eventually(() => first.textContent()).toContain('Harbour');
    await units.press('Escape');
    expect(await units.inputValue()).toBe('Quay');
    await units.fill(String(unit?.id));
    await eventually(() => first.textContent()).toContain('Harbour');
    await units.press('Enter');
    await expectNames(page, ['Of the quay', 'Of the harbour']);

    await units.fill('nowhere');
    await page.getByText('No org unit that you reach has such a name or ID.').waitFor();
    await units.press('Enter');
    expect(await units.inputValue()).toBe('Harbour');

    await units.press('ArrowDown');
    await page.getByRole('option', { name: 'Default 1', exact: true }).waitFor();
    await units.press('ArrowDown');
    await page.getByRole('option', { name: 'Default 1', exact: true, selected: true }).waitFor();
    await units.press('ArrowUp');
    await eventually(() => offered.last().getAttribute('aria-selected')).toBe('true');
    await units.press('ArrowDown');
    await units.press('Enter');
    await eventually(() => new URL(page.url()).hash).not.toContain('unit');
    expect(complaints).toEqual([]);
  });

  test('is opened by an address: of a type, in an order, of an org unit far down a large tree', async ({
    service,
    look,
  }) => {
    await service.rows(`insert into org_units (id, parent_id, name, path)
      select n, 1, 'Branch ' || n, '/1/' || n || '/' from generate_series(1001, 1250) n
      union all select 2000, 1, 'Zenith', '/1/2000/'`);
    const unit = { org_unit_id: '2000' };
    await add(service, 'Zebra', { ...unit, message_type: 'survey' });
    await add(service, 'Aardvark', { ...unit, message_type: 'survey' });
    await add(service, 'Monkey', unit);
    const { page, complaints } = await look();
    await signIn(page, service.base, token(), '#unit=2000&type=survey&sort=name&order=asc');
    await expectNames(page, ['Aardvark', 'Zebra']);
    await eventually(() => page.getByRole('combobox', { name: 'Org unit' }).inputValue()).toBe('Zenith');
    expect(await page.getByRole('combobox', { name: 'Type' }).inputValue()).toBe('survey');
    await page
      .getByRole('row', { name: 'Zebra' })
      .getByRole('cell', { name: 'Zenith', exact: true })
      .waitFor();
    expect(complaints).toEqual([]);
  });

  test('drops an answer that comes after that to a later question', async ({ service, look }) => {
    await add(service, 'Stale and slow');
    await add(service, 'Fresh and quick');
    const { page } = await look();
    await signIn(page, service.base);
    await page.getByText('Fresh and quick').waitFor();
    const held = Promise.withResolvers<void>();
    await page.route(/name=slow/, async (route) => {
      await held.promise;
      await route.continue().catch(() => undefined);
    });
    const asked = page.waitForRequest(/name=slow/);
    const isSlow = (request: { url(): string }) => request.url().includes('name=slow');
    const over = Promise.race([
      page.waitForEvent('requestfinished', isSlow),
      page.waitForEvent('requestfailed', isSlow),
    ]);
    await page.getByLabel('Search names').fill('slow');
    await asked;
    await page.getByLabel('Search names').fill('quick');
    await expectNames(page, ['Fresh and quick']);
    held.resolve();
    await over;
    // Whatever came with it would have been drawn by then.
    await page.evaluate('new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))');
    expect(await namesIn(page)).toEqual(['Fresh and quick']);
  });

  test('turns pages forth and back, from the keyboard too', async ({ look, folder }) => {
    const service = await startService({ RATE_LIMIT_PER_MINUTE: '0' }, { consoleFolder: folder });
    const numbers = Array.from({ length: 120 }, (_, i) => String(i + 1).padStart(3, '0'));
    for (const number of numbers) await add(service, `Prompt ${number}`);
    const { page, complaints } = await look({ base: service.base });
    await signIn(page, service.base);
    const pager = page.getByRole('navigation', { name: 'Pages' });
    await pager.getByText('1–50 of 120').waitFor();
    await pager.getByRole('button', { name: 'Next' }).click();
    await pager.getByText('51–100 of 120').waitFor();
    await pager.getByRole('button', { name: 'Next' }).click();
    await pager.getByText('101–120 of 120').waitFor();
    expect(await namesIn(page)).toEqual(
      numbers
        .slice(0, 20)
        .reverse()
        .map((number) => `Prompt ${number}`),
    );
    expect(await pager.getByRole('button', { name: 'Next' }).isDisabled()).toBe(true);
    const third = page.url();
    await pager.getByRole('button', { name: 'Previous' }).click();
    await pager.getByText('51–100 of 120').waitFor();
    await page.goBack();
    await pager.getByText('101–120 of 120').waitFor();
    // Opened by its address nobody knows where the page before begins.
    await page.goto('about:blank');
    await page.goto(third);
    await pager.getByText('101–120 of 120').waitFor();
    await pager.getByRole('button', { name: 'First page' }).click();
    await pager.getByText('1–50 of 120').waitFor();

    await page.getByRole('button', { name: 'Prompt 120' }).focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Prompt 118' }).waitFor();
    await page.keyboard.press('Escape');
    await eventually(() => page.evaluate<string>('document.activeElement.textContent')).toBe('Prompt 118');
    expect(complaints).toEqual([]);
    await service.close();
  });

  test('shows what was found wrong with the sound', async ({ service, look }) => {
    const measured = {
      loudness: -40.2,
      truePeak: -20,
      leadingMs: 10,
      trailingMs: 3200,
      durationMs: 4000,
      peaks: [-9, 9],
    };
    const quiet = await add(service, 'Far too quiet');
    await putReport(service, quiet, {
      ...measured,
      warnings: [
        { code: 'too_quiet', message: 'It is too quiet for a call.' },
        { code: 'long_silence', message: 'It ends in 3 s of silence.' },
      ],
    });
    await putReport(service, await add(service, 'Just right'), { ...measured, warnings: [] });
    const { page, complaints } = await look();
    // This service has no converter, which would be a reason not to ask.
    await page.route('**/v3/capabilities', (route) => route.abort('aborted'));
    await signIn(page, service.base);
    const row = (name: string) => page.getByRole('row').filter({ hasText: name });
    await row('Far too quiet').getByText('too quiet +1').waitFor();
    await row('Just right').getByText('fine').waitFor();
    await openPrompt(page, 'Far too quiet');
    await page.getByText('It ends in 3 s of silence.').waitFor();
    await page.getByText('-40.2 LUFS').waitFor();
    expect(complaints).toEqual([]);
  });

  test('goes on by itself when the service was away', async ({ service, look }) => {
    await add(service, 'Before the break');
    const proxy = await startTcpProxy(`${service.base}/`);
    const base = proxy.url.replace(/\/$/, '');
    const { page } = await look({ base });
    await signIn(page, base);
    await page.getByText('Before the break').waitFor();
    proxy.cut();
    await page.getByLabel('Search names').fill('break');
    await page.getByText('The service does not answer.').waitFor();
    await page.getByText('Before the break').waitFor();
    proxy.restore();
    await page.getByText('The service does not answer.').waitFor({ state: 'detached' });
    await page.getByText('The service is back.').waitFor();
    await expectNames(page, ['Before the break']);
    await proxy.close();
  });

  test('says what to do where a part of the page could not be loaded', async ({ service, look }) => {
    await add(service, 'Opened in vain');
    const { page } = await look();
    const part = '**/assets/details-body-*.js';
    await page.route(part, (route) => route.abort());
    await signIn(page, service.base);
    await openPrompt(page, 'Opened in vain');
    await page.getByText('This part of the page could not be loaded.').waitFor();
    await page.unroute(part);
    await page.getByRole('button', { name: 'Reload the page' }).click();
    await page.getByRole('heading', { name: 'Opened in vain' }).waitFor();
  });
});
