import { answered, expect, input, open, test } from './page';

test('the atlas leads from a cell without an answer to the nearest that has one', async ({ page }) => {
  await open(page, './#coverage');
  const grid = page.getByRole('grid', { name: 'Models by GPU and engine' });
  await expect(grid.locator('td')).not.toHaveCount(0);
  await page.getByLabel('Find a model').fill('qwen3-32b-fp8');
  await expect(grid.locator('tbody tr:not(.family)')).toHaveCount(2);

  // The first column is A100, which has no FP8 cores.
  await grid.locator('td').first().focus();
  const side = page.getByLabel('The chosen cell');
  await expect(side).toContainText('no answer');
  await expect(side).toContainText('fp8');
  await page.keyboard.press('ArrowDown');
  await expect(grid.locator('td:focus')).toHaveAttribute('id', 'cell-1-0');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  await expect(page.locator('#coverage-on')).toBeFocused();
  await page.keyboard.press('Enter');
  await answered(page);
  expect(input(page, 'model')).toBe('Qwen/Qwen3-32B');
  expect(input(page, 'system')).toBe('a100_sxm');
  await expect(page.locator('.best .hero')).toBeVisible();
});

test('a measured cell opens its question', async ({ page }) => {
  await open(page, './#coverage');
  await page.getByLabel('Find a model').fill('gpt-oss-20b');
  const cell = page.locator('td.full').last();
  await cell.click();
  await answered(page);
  expect(input(page, 'model')).toBe('openai/gpt-oss-20b');
  await expect(page.locator('.best .hero')).toBeVisible();
});

test('a cell without measurements opens with estimates', async ({ page }) => {
  await open(page, './#coverage');
  await page.getByLabel('Find a model').fill('step-3.7-flash-fp8');
  await page.locator('td.guess').first().click();
  await page.getByRole('button', { name: /^Open with/ }).click();
  await answered(page);
  expect(input(page, 'mode')).toMatch(/hybrid|sol/);
  await expect(page.locator('.best')).toContainText(/empirical|roofline/);
});

test('the atlas never makes the page scroll sideways', async ({ page }) => {
  await page.setViewportSize({ width: 320, height: 700 });
  await open(page, './#coverage');
  await expect(page.locator('td').first()).toBeAttached();
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  expect(width).toBeLessThanOrEqual(320);
});
