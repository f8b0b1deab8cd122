import { answered, expect, input, open, test } from './page';

test('a bad link gives defaults and a notice', async ({ page }) => {
  await open(page, './?v=1&isl=many&colour=red&itl=25');
  await expect(page.locator('.notices')).toContainText('colour');
  await expect(page.locator('.notices')).toContainText('many');
  await expect(page.getByLabel('Input', { exact: true })).toHaveValue('4,000');
  await expect(page.getByLabel('ITL ≤', { exact: true })).toHaveValue('25');
  await page.getByRole('button', { name: 'Understood' }).click();
  await expect(page.locator('.message')).toHaveCount(0);
});

test('a link made on other data says so and still answers', async ({ page }) => {
  await open(page, './?v=1&data=00000000');
  await expect(page.locator('.notices')).toContainText('00000000');
  await expect(page.locator('.best .hero b')).not.toBeEmpty();
});

test('a value that makes no sense is flagged and kept', async ({ page }) => {
  await open(page);
  const gpus = page.getByLabel('Plan for', { exact: true });
  await gpus.fill('0');
  await expect(gpus).toHaveAttribute('aria-invalid', 'true');
  await expect(gpus).toHaveValue('0');
  await expect(page.getByRole('alert')).toContainText('0');
  await expect(page.locator('.best .hero b')).not.toBeEmpty();
  await gpus.fill('several');
  await expect(page.locator('#goal-error')).toContainText('several');
  await gpus.fill('16');
  await answered(page);
  await expect(gpus).toHaveAttribute('aria-invalid', 'false');
  await expect.poll(() => input(page, 'gpus')).toBe('16');
});

test('nothing fits: what would is one tap away', async ({ page }) => {
  await open(page, './?v=1&ttft=500&itl=2');
  await expect(page.locator('.best')).toContainText('Nothing');
  await page.locator('.best .buttons button').first().click();
  await answered(page);
  await expect(page.locator('.best .hero b')).not.toBeEmpty();
});

test('both targets out of reach still leave a way', async ({ page }) => {
  await open(page, './?v=1&ttft=5&itl=1');
  await page.locator('.best .buttons button').first().click();
  await answered(page);
  await expect(page.locator('.best .hero b')).not.toBeEmpty();
});

test('what has no data is named, with the nearest that has', async ({ page }) => {
  await page.goto('./?v=1&system=a100_pcie');
  await expect(page.getByRole('alert')).toContainText(/not measured|No data/i);
  await page.getByRole('alert').getByRole('button').first().click();
  await answered(page);
  await expect(page.locator('.best .hero b')).not.toBeEmpty();
});

test('the page goes on without its server', async ({ page, context }) => {
  await open(page);
  await context.setOffline(true);
  await page.getByLabel('ITL ≤', { exact: true }).fill('20');
  await page.getByLabel('Input', { exact: true }).fill('1000');
  await page.keyboard.press('Enter');
  await answered(page);
  expect(input(page, 'isl')).toBe('1000');
  await expect(page.locator('.best .hero b')).not.toBeEmpty();
});

test('without scripting the page says what it needs', async ({ browser }) => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto('./');
  await expect(page.getByRole('alert')).toContainText('Scripting is off');
  await expect(page.locator('.scenario')).toContainText('Qwen3-32B-FP8');
  await context.close();
});
