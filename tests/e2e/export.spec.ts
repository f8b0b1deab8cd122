import { readFileSync } from 'node:fs';
import { AIRLINE, answered, expect, hero, open, test } from './page';

test('the manifest is copied, named and checked', async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await open(page);
  await page.getByRole('button', { name: 'Export manifest' }).click();
  const yaml = page.locator('.yaml');
  await expect(yaml).toContainText('kind: DynamoGraphDeploymentRequest');
  await expect(yaml).toContainText('isl: 4000');
  await expect(page.locator('.checks')).toContainText('Passes');
  await page.getByLabel('Name', { exact: true }).fill('airline-storm');
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
  await page.getByLabel('Name', { exact: true }).fill('Not A Name!');
  await expect(page.locator('.checks .error').first()).toBeVisible();
  await expect(page.getByRole('button', { name: 'Copy', exact: true })).toBeDisabled();
  await expect(page.getByRole('button', { name: 'Download' })).toBeDisabled();
});

const FORMATS = ['Request', 'Deployment', 'Planner', 'Commands', 'Benchmark', 'llm-d', 'llm-d Helm'];
const MODELS = [
  ['Qwen/Qwen3-32B-FP8', 'system=h200_sxm&gpus=16&ttft=500&itl=30'],
  ['deepseek-ai/DeepSeek-V3', 'system=h200_sxm&gpus=64&ttft=3000&itl=60'],
];

for (const [model, rest] of MODELS) {
  for (const backend of ['trtllm', 'sglang', 'vllm']) {
    test(`every format of ${model} with ${backend} is written or refused with its reason`, async ({ page }) => {
      await open(page, `./?v=1&model=${model}&${rest}&backend=${backend}#export`);
      let written = 0;
      for (const format of FORMATS) {
        await page.getByRole('radio', { name: format, exact: true }).check();
        const sheet = page.locator('.sheet');
        await expect(sheet.locator('.yaml, .empty')).toBeVisible();
        await expect(sheet).not.toContainText('Writing');
        const errors = await page.locator('.checks .error').count();
        const text = await sheet.locator('.yaml').count();
        // Either a text without an error, or the reason why there is none.
        expect(text > 0, `${format}: ${await page.locator('.checks').innerText()}`).toBe(errors === 0);
        if (text > 0) {
          written += 1;
          await expect(page.locator('.checks')).toBeVisible();
          await expect(page.getByRole('button', { name: 'Copy', exact: true })).toBeEnabled();
        }
        if (['Request', 'Deployment', 'Commands', 'Benchmark'].includes(format)) {
          expect(text, `${format}: ${await page.locator('.checks').innerText()}`).toBe(1);
        }
      }
      expect(written).toBeGreaterThanOrEqual(4);
    });
  }
}

test('a deployment comes back as the point it was written for', async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await open(page, `./${AIRLINE.replace('backend=trtllm', 'backend=vllm')}&serving=disagg`);
  const best = await hero(page);
  const what = await page.locator('.best .what').innerText();
  await page.getByRole('link', { name: 'Export', exact: true }).click();
  await page.getByRole('radio', { name: 'Deployment', exact: true }).check();
  await expect(page.locator('.yaml')).toContainText('kind: DynamoGraphDeployment');
  await expect(page.locator('.yaml')).toContainText('dynamo.planner');
  await expect(page).toHaveURL(/#export\.dgd/);
  await page.getByRole('button', { name: 'Copy', exact: true }).click();
  await expect(page.getByRole('button', { name: 'Copied' })).toBeVisible();
  const copied = await page.evaluate(() => navigator.clipboard.readText());

  // Somebody else, with another question on the form.
  await open(page, './?v=1&model=Qwen/Qwen3-8B&system=h200_sxm&gpus=8');
  await page.getByRole('button', { name: 'Where am I today?' }).click();
  await page.getByLabel('Manifest or launch command').fill(copied);
  await expect(page.locator('.own')).toContainText('DynamoGraphDeployment');
  await expect(page.locator('.own')).toContainText('decode.tp');
  await page.getByRole('button', { name: 'Show it on the chart' }).click();
  await answered(page);
  const today = page.getByLabel('What runs today');
  await expect(today.locator('dd').first()).toHaveText(best);
  await expect(today).toContainText('Nothing within the SLO serves more');
  expect(await hero(page)).toBe(best);
  expect(await page.locator('.best .what').innerText()).toBe(what);
  // The link keeps it.
  await page.reload();
  await answered(page);
  await expect(page.getByLabel('What runs today')).toContainText('Nothing within the SLO serves more');
  await page.getByRole('button', { name: 'Forget it' }).click();
  await expect(page.getByLabel('What runs today')).toHaveCount(0);
});

test('a launch command becomes a point, and what is not understood is listed by line', async ({ page }) => {
  await open(page, './?v=1&system=h100_sxm&gpus=8');
  await page.getByRole('button', { name: 'Where am I today?' }).click();
  const text = page.getByLabel('Manifest or launch command');
  await expect(text).toBeFocused();
  await text.fill('vllm serve Qwen/Qwen3-32B-FP8 \\\n  --tensor-parallel-size 4 \\\n  --max-num-seqs 16 \\\n  --warp-drive 9');
  await expect(page.locator('.own .unread')).toContainText('Line 4');
  await expect(page.locator('.own .unread')).toContainText('--warp-drive');
  await page.getByRole('button', { name: 'Show it on the chart' }).click();
  await answered(page);
  const today = page.getByLabel('What runs today');
  await expect(today).toContainText('tp4');
  await expect(today).toContainText('more tokens/s/GPU');
  await today.getByRole('button', { name: 'Show the change' }).click();
  await expect(page.locator('.best')).toContainText('tokens/s per GPU');
});

test('what cannot be read says where and why', async ({ page }) => {
  await open(page);
  await page.getByRole('button', { name: 'Where am I today?' }).click();
  const text = page.getByLabel('Manifest or launch command');
  await text.fill('kind: DynamoGraphDeployment\nspec:\n  components: [\n');
  await expect(page.locator('.own .checks .error')).toContainText(/line [34]/i);
  await text.fill(`a: &a [x, x, x, x, x, x, x, x]\n${Array.from({ length: 12 }, (_, n) => `b${n}: &b${n} [${Array(9).fill(n ? `*b${n - 1}` : '*a').join(', ')}]`).join('\n')}`);
  await expect(page.locator('.own .checks .error')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.locator('.own')).toHaveCount(0);
  await expect(page.getByRole('button', { name: 'Where am I today?' })).toBeFocused();
});

test('a line says which choice made it, by pointer and by keyboard', async ({ page }) => {
  await open(page, './?v=1&backend=vllm#export.dgd');
  const yaml = page.locator('.yaml');
  await yaml.locator('.line.known').first().hover();
  await expect(page.locator('.reason')).toContainText('Line ');
  await yaml.focus();
  const before = await page.locator('.reason').innerText();
  await page.keyboard.press('ArrowDown');
  await expect(page.locator('.reason')).not.toHaveText(before);
});

test('figures and chart are saved with where they come from', async ({ page }) => {
  await open(page, './#export.figures');
  for (const [name, part] of [
    ['configurations.csv', '# link: '],
    ['configurations.json', '"provenance"'],
    ['frontier.svg', 'data: '],
  ]) {
    const download = page.waitForEvent('download');
    await page.getByRole('button', { name: `Download ${name}` }).click();
    const path = await (await download).path();
    expect(readFileSync(path, 'utf8')).toContain(part);
  }
  const picture = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Download frontier.png' }).click();
  const bytes = readFileSync(await (await picture).path());
  // Width and height stand at fixed places in a PNG.
  expect([bytes.readUInt32BE(16), bytes.readUInt32BE(20)]).toEqual([2400, 1400]);
});

test('all formats leave as one archive', async ({ page }) => {
  await open(page, './#export');
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'All as zip' }).click();
  const bytes = readFileSync(await (await download).path());
  expect(bytes.subarray(0, 2).toString()).toBe('PK');
  for (const name of ['dgdr/', 'dgd/', 'launch/', 'benchmark/']) {
    expect(bytes.includes(Buffer.from(name)), name).toBe(true);
  }
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
