import { AIRLINE, answered, expect, figures, hero, input, open, test } from './page';

test('the page opens on an answer', async ({ page }) => {
  await open(page);
  expect(Number(await hero(page))).toBeGreaterThan(100);
  await expect(page.locator('.best .what')).toContainText('= 32');
  await expect(page.locator('.best .why')).toContainText('Limited by');
  await expect(page.locator('.counter')).toHaveText(/[\d,]+ tried · [\d.,]+ ms/);
  expect(await page.locator('tbody tr').count()).toBeGreaterThan(2);
  const left = await page.locator('.funnel b').allInnerTexts();
  const counts = left.map((text) => Number(text.replaceAll(',', '')));
  expect(counts[0]).toBeGreaterThan(1000);
  expect([...counts].sort((a, b) => b - a)).toEqual(counts);
});

test('an edit goes to the address, and the address gives the same digits again', async ({ page }) => {
  await open(page);
  await page.getByLabel('Input', { exact: true }).fill('2,500');
  await page.getByLabel('ITL ≤', { exact: true }).fill('22.5');
  await page.keyboard.press('Enter');
  await expect.poll(() => input(page, 'isl')).toBe('2500');
  expect(input(page, 'itl')).toBe('22.5');
  await answered(page);
  const before = await figures(page);
  await page.reload();
  await answered(page);
  expect(await figures(page)).toBe(before);
});

test('the airline link is short', async ({ page }) => {
  await open(page, AIRLINE);
  expect(new URL(page.url()).search.length).toBeLessThanOrEqual(160);
});

test('Back undoes a committed edit', async ({ page }) => {
  await open(page);
  await page.getByLabel('Output', { exact: true }).fill('250');
  await page.keyboard.press('Enter');
  await expect.poll(() => input(page, 'osl')).toBe('250');
  await page.goBack();
  await expect(page.getByLabel('Output', { exact: true })).toHaveValue('500');
  expect(input(page, 'osl')).toBe('500');
});

test('a story sets the whole question', async ({ page }) => {
  await open(page);
  await page.getByRole('button', { name: 'Coding agent' }).click();
  await answered(page);
  await expect(page.getByLabel('Cached', { exact: true })).toHaveValue('14,000');
  await expect(page.getByRole('button', { name: 'Coding agent' })).toHaveAttribute('aria-pressed', 'true');
  await expect(page.locator('.stories p')).toContainText('cached');
});

test('every story has an answer', async ({ page }) => {
  await open(page);
  const stories = page.locator('.story');
  for (let at = 0; at < (await stories.count()); at += 1) {
    await stories.nth(at).click();
    await answered(page);
    await expect(page.locator('.best .hero b')).not.toBeEmpty();
  }
});

test('a load goal asks for the fewest GPUs', async ({ page }) => {
  await open(page);
  await page.getByLabel('Unit of the goal').selectOption('req/s');
  await answered(page);
  expect(input(page, 'gpus')).toBeNull();
  expect(Number(input(page, 'rate'))).toBeGreaterThan(1);
  await expect(page.locator('.best .hero')).toContainText('for the load');
});

test('a model is found by typing', async ({ page }) => {
  await open(page);
  const box = page.getByRole('combobox', { name: 'Model' });
  await box.fill('llama 70b');
  await expect(page.getByRole('listbox', { name: 'Model' }).getByRole('option').first()).toContainText(/llama.*70b/i);
  await page.keyboard.press('Enter');
  await expect.poll(() => input(page, 'model')).toMatch(/llama.*70b/i);
  await expect(box).toHaveAttribute('aria-expanded', 'false');
});

test('the vertical axis offers money only once a price is known', async ({ page }) => {
  await open(page);
  await expect(page.getByRole('radio', { name: '$/M tok' })).toHaveCount(0);
  await page.getByRole('button', { name: /^More/ }).click();
  await page.getByLabel('$ per GPU-hour').fill('2.5');
  await page.getByRole('radio', { name: '$/M tok' }).check();
  await expect(page.locator('.best dl')).toContainText('Cost');
});

test('closed groups show their values, and open ones change the answer', async ({ page }) => {
  await open(page);
  const more = page.getByRole('button', { name: /^More/ });
  await expect(more).toContainText('agg + disagg');
  await more.click();
  await page.getByLabel('Serving mode').selectOption('agg');
  await answered(page);
  expect(input(page, 'serving')).toBe('agg');
  await expect(page.locator('.best .what')).toContainText('Aggregated');
});
