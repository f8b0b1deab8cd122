import { answered, expect, hero, input, open, test } from './page';

/** Picks a model by typing a part of its name. */
async function pick(page: Parameters<typeof open>[0], typed: string, id: string) {
  const box = page.getByRole('combobox', { name: 'Model' });
  await box.fill(typed);
  const options = page.getByRole('listbox', { name: 'Model' }).getByRole('option');
  await expect(options.first()).toContainText(id.split('/')[1]);
  await page.keyboard.press('Enter');
  await expect.poll(() => input(page, 'model')).toBe(id);
  await answered(page);
}

const WORKERS = /tp\d+|dp\d+|ep\d+/;

for (const [typed, id, address] of [
  ['deepseek-v3', 'deepseek-ai/DeepSeek-V3', '?v=1&system=h200_sxm&gpus=64&ttft=1000&itl=50'],
  ['gpt-oss-120b', 'openai/gpt-oss-120b', '?v=1&system=h100_sxm&gpus=8&ttft=1000&itl=30'],
  ['qwen3.5-27b', 'Qwen/Qwen3.5-27B', '?v=1&system=h200_sxm&gpus=8&backend=sglang&ttft=1000&itl=50'],
]) {
  test(`${id} is picked by typing and answers`, async ({ page }) => {
    await open(page, address);
    await pick(page, typed, id);
    expect(Number((await hero(page)).replaceAll(',', ''))).toBeGreaterThan(0);
    await expect(page.locator('.best')).toContainText(WORKERS);
    await expect(page.locator('.best .why')).toContainText('Limited by');
    expect(await page.locator('tbody tr').count()).toBeGreaterThan(2);
  });
}
