import { writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import type { Page } from '@playwright/test';
import { AIRLINE, answered, expect, test } from './page';

/** Waits until both runs are over. */
async function over(page: Page) {
  await expect(page.locator('#replay-share')).toHaveText('');
  await expect(page.locator('.course .hero b')).toHaveText(/%/);
}

async function replay(page: Page, words = '') {
  await page.goto(`./#replay${words}`);
  await over(page);
}

const course = (page: Page) => page.locator('#replay-course');
const decisions = (page: Page) => page.locator('.log tbody tr');
const cell = (page: Page, name: string, column: number) =>
  page.locator('.figures-of-run tbody tr', { hasText: name }).locator('td').nth(column);

test('the airline storm is already run: 1P + 1D → 2P + 1D, the SLO lost and regained', async ({ page }) => {
  await replay(page);
  await expect(course(page)).toContainText('The SLO is missed at 2:0');
  await expect(course(page)).toContainText('kept again from 6:');
  await expect(course(page)).toContainText('asked for at 2:05 and serves from 5:05');
  await expect(decisions(page)).toHaveCount(2);
  await expect(decisions(page).last()).toContainText('1 → 2');
  await expect(decisions(page).last()).toContainText('TTFT');
  await expect(decisions(page).first()).toContainText('2 → 1');
  // A static fleet does worse.
  const share = async (column: number) =>
    Number.parseFloat((await cell(page, 'Within both targets', column).innerText()).replace('%', ''));
  expect(await share(1)).toBeGreaterThan(2 * (await share(2)));
});

test('a burst shorter than the start of a worker says so', async ({ page }) => {
  await replay(page, '.burst');
  await expect(course(page)).toContainText('taken back');
  await expect(course(page)).toContainText('shorter than the start of a worker');
});

test('the address reproduces the run, digit by digit', async ({ page }) => {
  await replay(page);
  await page.locator('#start').fill('60');
  await page.locator('#start').press('Enter');
  await page.getByLabel('What if: waiting prompts move to a new worker').check();
  await over(page);
  await expect(course(page)).toContainText('after 1 min');
  const table = await page.locator('.figures-of-run').innerText();
  await expect(page).toHaveURL(/#replay\.start60-rebalance/);
  const address = page.url();
  await page.goto('about:blank');
  await page.goto(address);
  await over(page);
  expect(await page.locator('.figures-of-run').innerText()).toBe(table);
});

test('settings are compared with settings kept before', async ({ page }) => {
  await replay(page);
  const before = await cell(page, 'TTFT, longest', 1).innerText();
  await page.getByRole('button', { name: 'Keep to compare' }).click();
  await page.locator('#start').fill('30');
  await page.locator('#start').press('Enter');
  await over(page);
  await expect(cell(page, 'TTFT, longest', 2)).toHaveText(before);
  await expect(cell(page, 'TTFT, longest', 1)).not.toHaveText(before);
});

test('the workers of a point on Explore are replayed', async ({ page }) => {
  await page.goto(`./${AIRLINE}`);
  await answered(page);
  await page.getByRole('link', { name: 'Replay' }).click();
  await over(page);
  await page.getByRole('radio', { name: 'of the point on Explore' }).check({ force: true });
  await expect(page.locator('#replay-workers')).toContainText('tp');
  await over(page);
  await expect(page).toHaveURL(/#replay\..*own/);
  await expect(page.locator('.message.urgent')).toHaveCount(0);
  const address = page.url();
  const table = await page.locator('.figures-of-run').innerText();
  await page.goto('about:blank');
  await page.goto(address);
  await over(page);
  expect(await page.locator('.figures-of-run').innerText()).toBe(table);
});

test('by keyboard alone: a story, a number, the moment that is read, a decision', async ({ page }) => {
  await replay(page);
  await page.getByRole('button', { name: 'Ramp' }).focus();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('button', { name: 'Ramp' })).toHaveAttribute('aria-pressed', 'true');
  await page.getByRole('button', { name: 'Airline storm' }).focus();
  await page.keyboard.press('Space');
  await over(page);
  const slider = page.getByRole('slider', { name: 'Moment of the run' });
  await slider.focus();
  await page.keyboard.press('Home');
  await expect(slider).toHaveAttribute('aria-valuenow', '0');
  for (let i = 0; i < 3; i++) await page.keyboard.press('PageUp');
  expect(Number(await slider.getAttribute('aria-valuenow'))).toBeGreaterThan(0);
  await decisions(page).last().getByRole('button').focus();
  await page.keyboard.press('Enter');
  await expect(slider).toHaveAttribute('aria-valuenow', '125000');
  await page.locator('#peak').focus();
  await page.keyboard.press('Control+A');
  await page.keyboard.type('nonsense');
  await expect(page.locator('#peak')).toHaveAttribute('aria-invalid', 'true');
});

test('what the planner refuses and what is out of range is said', async ({ page }) => {
  await replay(page);
  await page.locator('#gpus').fill('1');
  await page.locator('#gpus').press('Enter');
  await expect(page.locator('.message.urgent')).toContainText('The planner refuses these settings');
  await page.locator('#gpus').fill('3');
  await page.locator('#gpus').press('Enter');
  await over(page);
  await expect(page.locator('.message.urgent')).toHaveCount(0);
  await page.locator('#hit').fill('200');
  await expect(page.locator('#hit')).toHaveAttribute('aria-invalid', 'true');
});

test('traces: plain, packed, foreign, broken', async ({ page }, info) => {
  await replay(page);
  const row = (at: number) => JSON.stringify({ timestamp: at * 400, input_length: 1500, output_length: 80, hash_ids: [at % 7, at] });
  const rows = Array.from({ length: 500 }, (_, at) => row(at)).join('\n');
  const file = (name: string, bytes: string | Buffer) => {
    const path = info.outputPath(name);
    writeFileSync(path, bytes);
    return path;
  };
  const choose = (path: string) => page.locator('#trace-file').setInputFiles(path);
  await choose(file('trace.jsonl', rows));
  await expect(page.locator('#replay-story')).toContainText('Mooncake JSONL: 500 requests');
  await over(page);
  await expect(cell(page, 'Requests served', 1)).toHaveText('500');
  await choose(file('trace.jsonl.gz', gzipSync(rows)));
  await expect(page.locator('#replay-story')).toContainText('500 requests');
  await choose(file('burst.csv', 'Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n1,m,500,20,520,x\n3,m,700,30,730,x\n'));
  await expect(page.locator('#replay-story')).toContainText('BurstGPT CSV: 2 requests');
  await choose(file('photo.png', Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a])));
  await expect(page.locator('.traffic .message')).toContainText('This trace cannot be read');
  await choose(file('broken.jsonl', `${row(1)}\n{"timestamp": `));
  await expect(page.locator('.traffic .message')).toContainText('Line 2');
  // Stories go on.
  await page.getByRole('button', { name: 'Constant' }).click();
  await over(page);
});

test('a million requests do not freeze the page', async ({ page }, info) => {
  test.setTimeout(180_000);
  await replay(page);
  const path = info.outputPath('million.csv');
  const rows = ['Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type'];
  for (let at = 0; at < 1_000_000; at++) rows.push(`${at * 0.5},m,${200 + (at % 400)},${20 + (at % 60)},0,x`);
  writeFileSync(path, rows.join('\n'));
  await page.evaluate(() => {
    const seen = window as unknown as { longest: number };
    seen.longest = 0;
    let last = performance.now();
    const tick = () => {
      const now = performance.now();
      seen.longest = Math.max(seen.longest, now - last);
      last = now;
      setTimeout(tick, 10);
    };
    tick();
  });
  const began = Date.now();
  await page.locator('#trace-file').setInputFiles(path);
  await expect(page.locator('#replay-story')).toContainText('1,000,000 requests', { timeout: 120_000 });
  const read = Date.now();
  // The page answers while the run goes on.
  await page.getByRole('radio', { name: 'nothing' }).check({ force: true });
  await page.getByLabel('The planner changes replicas').uncheck();
  await expect(cell(page, 'Requests served', 1)).toHaveText('1,000,000', { timeout: 120_000 });
  const longest = await page.evaluate(() => (window as unknown as { longest: number }).longest);
  console.log(`a million requests: read in ${read - began} ms, replayed after ${Date.now() - read} ms, longest pause of the page ${longest.toFixed(0)} ms`);
});

for (const [width, height] of [[1440, 900], [390, 844]]) {
  test(`nothing overflows at ${width}×${height}`, async ({ page }) => {
    await page.setViewportSize({ width, height });
    await replay(page);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect(wide).toBeLessThanOrEqual(0);
  });
}
