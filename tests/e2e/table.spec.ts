import { readFileSync } from 'node:fs';
import { expect, open, test } from './page';

test('a column sorts both ways', async ({ page }) => {
  await open(page);
  const heading = page.getByRole('columnheader', { name: 'ITL ms' });
  await heading.getByRole('button').click();
  await expect(heading).toHaveAttribute('aria-sort', 'ascending');
  const column = async () => (await page.locator('tbody tr td:nth-child(9)').allInnerTexts()).map(Number);
  const up = await column();
  expect(up).toEqual([...up].sort((a, b) => a - b));
  await heading.getByRole('button').click();
  await expect(heading).toHaveAttribute('aria-sort', 'descending');
  expect(await column()).toEqual([...up].sort((a, b) => b - a));
});

test('rows and card are one selection, also by keyboard', async ({ page }) => {
  await open(page);
  await page.locator('tbody tr').nth(1).click();
  await expect(page.locator('tbody tr').nth(1)).toHaveClass(/sel/);
  await expect(page.locator('.best h2')).toHaveText('Selected configuration');
  expect(page.url()).toContain('#explore:');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await expect(page.locator('tbody tr').nth(2)).toHaveClass(/sel/);
  await page.getByRole('button', { name: 'Show best' }).click();
  await expect(page.locator('tbody tr').first()).toHaveClass(/sel/);
});

test('pins are kept, recalled and dropped', async ({ page }) => {
  await open(page);
  await page.getByRole('button', { name: 'Pin', exact: true }).last().click();
  await expect(page.locator('.tray .pin')).toHaveCount(1);
  await page.locator('tbody tr').nth(1).click();
  await page.keyboard.press('p');
  await expect(page.locator('.tray .pin')).toHaveCount(2);
  await page.getByRole('button', { name: 'Airline, calm' }).click();
  await page.locator('.tray .recall').first().click();
  await expect(page.getByLabel('Input', { exact: true })).toHaveValue('4,000');
  await page.getByRole('button', { name: 'Remove pin 1' }).click();
  await expect(page.locator('.tray .pin')).toHaveCount(1);
});

test('columns are picked, and CSV carries its origin', async ({ page }) => {
  await open(page);
  await page.locator('summary', { hasText: 'Columns' }).click();
  await page.getByLabel('req/s', { exact: true }).last().check();
  await expect(page.getByRole('columnheader', { name: 'req/s' })).toBeVisible();
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'CSV' }).click();
  const lines = readFileSync((await (await download).path())!, 'utf8').trim().split('\r\n');
  expect(lines[0]).toMatch(/^rank,mode,layout,gpus,/);
  expect(lines.filter((line) => /^\d/.test(line)).length).toBe(await page.locator('tbody tr').count());
  expect(lines.some((line) => line.includes('# link: http'))).toBe(true);
  expect(lines.some((line) => line.includes('# data:'))).toBe(true);
});
