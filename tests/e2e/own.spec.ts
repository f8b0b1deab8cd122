import { answered, expect, hero, input, open, test } from './page';

const CONFIG = {
  architectures: ['LlamaForCausalLM'],
  _name_or_path: 'acme/small',
  num_hidden_layers: 16,
  hidden_size: 2048,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  intermediate_size: 8192,
  vocab_size: 128256,
  max_position_embeddings: 131072,
};

/** Opens the panel with the keyboard alone. */
async function panel(page: Parameters<typeof open>[0]) {
  await page.getByRole('combobox', { name: 'Model' }).focus();
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('textbox', { name: 'config.json', exact: true })).toBeFocused();
}

test('a pasted config.json is understood, used and shared', async ({ page }) => {
  await open(page);
  await panel(page);
  const text = page.getByRole('textbox', { name: 'config.json', exact: true });
  const use = page.getByRole('button', { name: 'Use this model' });
  await text.fill(`${JSON.stringify(CONFIG, null, 1).slice(0, -1)},}`);
  await expect(page.locator('.own .message')).toContainText('Line 13');
  await expect(use).toBeDisabled();
  await text.fill(JSON.stringify(CONFIG));
  await expect(page.locator('.own dl')).toContainText('32 query and 8 KV heads of 64');
  await expect(page.getByRole('textbox', { name: 'Name, as on the Hub' })).toHaveValue('acme/small');
  await use.click();
  await expect.poll(() => input(page, 'model')).toBe('acme/small');
  await answered(page);
  const best = await hero(page);

  await open(page, new URL(page.url()).search);
  expect(await hero(page)).toBe(best);
  const box = page.getByRole('combobox', { name: 'Model' });
  await box.fill('qwen3-8b');
  await page.keyboard.press('Enter');
  await expect.poll(() => input(page, 'facts')).toBeNull();
});

test('files can be chosen, and Escape closes the panel', async ({ page }) => {
  await open(page);
  await panel(page);
  const quant = { quantization: { quant_algo: 'FP8', kv_cache_quant_algo: 'FP8' } };
  await page.locator('.own input[type=file]').setInputFiles([
    { name: 'config.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(CONFIG)) },
    { name: 'hf_quant_config.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(quant)) },
  ]);
  await expect(page.locator('.own dl')).toContainText('weights fp8_static');
  await page.keyboard.press('Escape');
  await expect(page.locator('.own')).toHaveCount(0);
});

test('the panel fits a phone', async ({ page }) => {
  await page.setViewportSize({ width: 320, height: 640 });
  await open(page);
  await page.getByRole('button', { name: 'Edit' }).click();
  await panel(page);
  await page.getByRole('textbox', { name: 'config.json', exact: true }).fill(JSON.stringify(CONFIG));
  await expect(page.locator('.own dl')).toBeVisible();
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(320);
});
