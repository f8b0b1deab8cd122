import { expect, hero, open, test } from './page';

test('the manifest is copied, named and checked', async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await open(page);
  await page.getByRole('button', { name: 'Export manifest' }).click();
  const yaml = page.locator('.yaml');
  await expect(yaml).toContainText('kind: DynamoGraphDeploymentRequest');
  await expect(yaml).toContainText('isl: 4000');
  await expect(page.locator('.checks')).toContainText('Passes');
  await page.getByLabel('Name').fill('airline-storm');
  await expect(yaml).toContainText('name: airline-storm');
  await page.getByRole('button', { name: 'Copy', exact: true }).click();
  await expect(page.getByRole('button', { name: 'Copied' })).toBeVisible();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied.trim()).toBe((await yaml.textContent())?.trim());
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Download' }).click();
  expect((await download).suggestedFilename()).toMatch(/airline-storm.*\.yaml$/);
});

test('a name that Kubernetes refuses blocks the copy', async ({ page }) => {
  await open(page, './#export');
  await page.getByLabel('Name').fill('Not A Name!');
  await expect(page.locator('.checks .error').first()).toBeVisible();
  await expect(page.getByRole('button', { name: 'Copy', exact: true })).toBeDisabled();
  await expect(page.getByRole('button', { name: 'Download' })).toBeDisabled();
});

test('the link leads somebody else to the same answer', async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await open(page, './?v=1&itl=25&isl=3000');
  const before = await hero(page);
  await page.locator('.top').getByRole('button', { name: 'Copy link' }).click();
  await expect(page.locator('.top').getByRole('button', { name: 'Copied' })).toBeVisible();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  const other = await context.newPage();
  await open(other, link);
  expect(await hero(other)).toBe(before);
  await other.close();
});
