// Every backend and every GPU system in one search.
import { execFileSync } from 'node:child_process';
import { AIRLINE, answered, expect, hero, input, open, test } from './page';

const tools = process.env.E2E_TOOLS ?? '../../target/debug';

test('every backend and any GPU are ranked together and keep their names', async ({ page }) => {
  await open(page, AIRLINE);
  const alone = await hero(page);
  await page.locator('#backend').selectOption('auto');
  await answered(page);
  expect(input(page, 'backend')).toBe('auto');
  await expect(page.locator('.best .what')).toContainText(' on H100 SXM');
  const number = (text: string) => Number(text.replace(/,/g, ''));
  expect(number(await hero(page))).toBeGreaterThanOrEqual(number(alone));

  await page.locator('#system').selectOption('any');
  await expect(page.locator('.reach')).toContainText('Not searched: ', { timeout: 60_000 });
  await answered(page);
  await expect(page.locator('.reach')).toContainText('count alike');
  await expect(page.locator('.best .why')).toContainText('Limited by');
  await expect(page.locator('th', { hasText: 'Engine and GPU' })).toBeVisible();
  const printed = execFileSync(`${tools}/configurator`, ['search', page.url()], {
    encoding: 'utf8',
    env: { ...process.env, CONFIGURATOR_DATA: '../../perf-data/packs' },
  });
  expect(printed).toContain(`${await hero(page)} tokens/s/GPU`);

  // A selected row is found again from the address, at its own place.
  const row = page.locator('tbody tr').nth(3);
  const place = await row.locator('td').nth(1).innerText();
  await row.click();
  await expect(page.locator('.best .what')).toContainText(place);
  await page.reload();
  await answered(page);
  await expect(page.locator('.best .what')).toContainText(place);
});

test('the manifest has the backend of the pick', async ({ page }) => {
  await open(page, AIRLINE.replace('backend=trtllm', 'backend=auto'));
  const what = await page.locator('.best .what').innerText();
  const backend = Object.entries({ TensorRT: 'trtllm', SGLang: 'sglang', vLLM: 'vllm' }).find(([name]) =>
    what.startsWith(name),
  )?.[1];
  await page.getByRole('button', { name: 'Export manifest' }).click();
  await expect(page.locator('.yaml')).toContainText(`backend: ${backend}`);
});
