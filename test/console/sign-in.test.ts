import { describe, expect } from 'vitest';
import { cli } from '../e2e/service-process.ts';
import { promptForm } from '../support/multipart.ts';
import { SECRET, type TestService, token } from '../support/service.ts';
import { expectNames, HAS_CHROMIUM, openPrompt, signIn, test } from './console.ts';

async function linkTo({ base, dataDir }: TestService, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await cli(dataDir, ['console', '--url', base, ...args], {
    JWT_SECRET: SECRET,
  });
  expect(stderr).toBe('');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/console#code=[\w-]{43}\n$/);
  return stdout.trim();
}

describe.skipIf(!HAS_CHROMIUM)('signing in', () => {
  test('with a pasted token shows who and what one may do, and outlives a reload of the tab alone', async ({
    service,
    look,
  }) => {
    const { page, context, complaints, urls } = await look();
    const bearer = token({ orgUnitId: 1, userId: 42, role: 'standard' });
    await signIn(page, service.base, bearer);
    const header = page.getByRole('banner');
    await header.getByText('User 42 · Default (1)').waitFor();
    await header.getByText('standard').waitFor();
    await page.reload();
    await header.getByText('User 42').waitFor();

    const other = await context.newPage();
    await other.goto(`${service.base}/console`);
    await other.getByRole('heading', { name: 'Sign in' }).waitFor();

    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await page.reload();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    expect(urls.filter((url) => url.includes(bearer.slice(-20)))).toEqual([]);
    expect(complaints).toEqual([]);
  });

  test('with what is no token, or not one of this service, says so at the field', async ({
    service,
    look,
  }) => {
    const { page, complaints } = await look({ statuses: [401] });
    await page.goto(`${service.base}/console`);
    const tokenField = page.getByLabel('Token, or a link');
    const submit = page.getByRole('button', { name: 'Sign in' });
    await submit.click();
    await page.getByText('Paste a token first.').waitFor();
    await tokenField.fill('not a token');
    await submit.click();
    await page.getByText('This is no token of this service').waitFor();
    await tokenField.fill(`${token().slice(0, -4)}AAAA`);
    await submit.click();
    await page.getByText('The service does not take this token').waitFor();
    expect(await tokenField.getAttribute('aria-invalid')).toBe('true');
    expect(complaints).toEqual([]);
  });

  test('by the link of the command line works once, and leaves no code behind', async ({ service, look }) => {
    const link = await linkTo(service, '--user', '9', '--role', 'read_only');
    const first = await look();
    await first.page.goto(link);
    await first.page.getByRole('banner').getByText('User 9').waitFor();
    await first.page.getByText('may only read').waitFor();
    expect(first.page.url()).toBe(`${service.base}/console`);
    const code = link.split('#code=')[1] ?? '';
    expect(first.urls.filter((url) => url.includes(code) && !url.includes('#'))).toEqual([]);
    expect(service.logLines.join('')).not.toContain(code);
    expect(first.complaints).toEqual([]);

    const second = await look({ statuses: [400] });
    await second.page.goto(link);
    await second.page.getByText('This link was used already').waitFor();
    await second.page.getByRole('heading', { name: 'Sign in' }).waitFor();

    // A link can be pasted where a token can.
    await second.page.getByLabel('Token, or a link').fill(await linkTo(service, '--user', '10'));
    await second.page.getByRole('button', { name: 'Sign in' }).click();
    await second.page.getByRole('banner').getByText('User 10').waitFor();
    expect(second.complaints).toEqual([]);
  });

  test('once more when the token expires, with everything on the page still there', async ({
    service,
    look,
  }) => {
    await service.upload(promptForm('Kept on the page'));
    await service.upload(promptForm('Another'));
    const { page, complaints } = await look();
    await page.clock.install();
    await signIn(page, service.base, token({ userId: 1 }));
    await page.getByLabel('Search names').fill('kept');
    await expectNames(page, ['Kept on the page']);
    await openPrompt(page, 'Kept on the page');
    await page.getByRole('heading', { name: 'Kept on the page' }).waitFor();
    await page.clock.fastForward('01:00:01');
    const dialog = page.getByRole('dialog', { name: 'Sign in' });
    await dialog.getByText('Your token has expired').waitFor();
    await page.keyboard.press('Escape');
    await dialog.getByLabel('Token, or a link').fill(token({ userId: 2 }));
    await dialog.getByRole('button', { name: 'Sign in' }).click();
    await dialog.waitFor({ state: 'detached' });
    await page.getByRole('banner').getByText('User 2').waitFor();
    expect(await page.getByLabel('Search names').inputValue()).toBe('kept');
    await page.getByRole('heading', { name: 'Kept on the page' }).waitFor();
    await expectNames(page, ['Kept on the page']);
    expect(complaints).toEqual([]);
  });

  test('with a token that may only read offers neither to upload nor to delete', async ({
    service,
    look,
  }) => {
    await service.upload(promptForm('To look at'));
    const { page } = await look();
    await signIn(page, service.base, token({ role: 'read_only' }));
    await openPrompt(page, 'To look at');
    await page.getByRole('heading', { name: 'To look at' }).waitFor();
    expect(await page.getByRole('button', { name: 'Delete' }).count()).toBe(0);
    await page.getByRole('link', { name: 'Upload' }).click();
    await page.getByText('Your token may only read').waitFor();
    expect(await page.getByLabel('Choose files').count()).toBe(0);
  });
});
