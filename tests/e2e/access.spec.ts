import { readFileSync } from 'node:fs';
import type { Page } from '@playwright/test';
import { expect, open, test } from './page';

const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

async function violations(page: Page): Promise<string[]> {
  // Evaluated by the debugger, so that the page's own policy stays as it is.
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const tool = (window as unknown as { axe: { run: (options: object) => Promise<{ violations: Found[] }> } }).axe;
    interface Found { id: string; nodes: { html: string }[] }
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
    const result = await tool.run({ runOnly: { type: 'tag', values: tags } });
    return result.violations.map((found) => `${found.id}: ${found.nodes.map((node) => node.html).join(' | ')}`);
  });
}

for (const theme of ['light', 'dark', 'contrast']) {
  test(`no accessibility violations, ${theme}`, async ({ page }) => {
    await open(page);
    await page.getByLabel('Theme').selectOption(theme);
    await page.getByRole('button', { name: /^More/ }).click();
    await page.getByRole('button', { name: 'Pin', exact: true }).last().click();
    expect(await violations(page)).toEqual([]);
    await page.getByRole('link', { name: 'Export', exact: true }).click();
    await expect(page.locator('.yaml')).toBeVisible();
    expect(await violations(page)).toEqual([]);
  });
}

for (const width of [320, 390, 768, 1920]) {
  test(`no sideways scroll at ${width} px`, async ({ page }) => {
    await page.setViewportSize({ width, height: 844 });
    await open(page);
    const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(await overflow()).toBeLessThanOrEqual(0);
    if (width < 700) await page.getByRole('button', { name: 'Edit' }).click();
    await page.getByRole('button', { name: /^More/ }).click();
    expect(await overflow()).toBeLessThanOrEqual(0);
    await page.getByRole('link', { name: 'Export', exact: true }).click();
    await expect(page.locator('.yaml')).toBeVisible();
    expect(await overflow()).toBeLessThanOrEqual(0);
  });
}

test('the theme is remembered', async ({ page }) => {
  await open(page);
  await page.getByLabel('Theme').selectOption('dark');
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  await page.reload();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
});

test('targets are large enough', async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await open(page);
  const small = await page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>('button, select, input, [role=slider], summary')]
      .filter((element) => element.offsetParent !== null && !element.matches('[type=checkbox], [type=radio]'))
      .map((element) => ({ name: element.outerHTML.slice(0, 80), box: element.getBoundingClientRect() }))
      .filter(({ box }) => box.width < 24 || box.height < 24)
      .map(({ name, box }) => `${name} ${box.width}×${box.height}`),
  );
  expect(small).toEqual([]);
});

test('a term explains itself and closes by Escape', async ({ page }) => {
  await open(page);
  const term = page.getByRole('button', { name: 'What is TTFT?' }).first();
  await term.click();
  await expect(page.locator('.explanation:not(.hidden)')).toContainText('time to first token');
  await page.keyboard.press('Escape');
  await expect(page.locator('.explanation:not(.hidden)')).toHaveCount(0);
});
