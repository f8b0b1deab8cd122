import { answered, expect, input, open, test } from './page';

test('the ITL handle is dragged', async ({ page }) => {
  await open(page);
  const handle = page.getByRole('slider', { name: 'ITL target' });
  const box = (await handle.boundingBox())!;
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + 60, y, { steps: 6 });
  const during = await page.getByLabel('ITL ≤', { exact: true }).inputValue();
  expect(Number(during)).toBeLessThan(30);
  await page.mouse.up();
  await answered(page);
  const itl = Number(input(page, 'itl'));
  expect(itl).toBe(Number(during));
  const shown = await page.locator('.best dl').innerText();
  expect(Number(/ITL\W+([\d.]+) of/.exec(shown)?.[1])).toBeLessThanOrEqual(itl);
  await page.goBack();
  await expect(page.getByLabel('ITL ≤', { exact: true })).toHaveValue('30');
});

test('the handles follow arrow keys', async ({ page }) => {
  await open(page);
  const itl = page.getByRole('slider', { name: 'ITL target' });
  await itl.focus();
  await page.keyboard.press('ArrowRight');
  await expect.poll(() => input(page, 'itl')).toBe('29.5');
  await page.keyboard.press('Shift+ArrowLeft');
  await expect.poll(() => input(page, 'itl')).toBe('34.5');
  await expect(itl).toHaveAttribute('aria-valuetext', /34\.5 ms/);
  const ttft = page.getByRole('slider', { name: 'TTFT target' });
  await ttft.focus();
  await page.keyboard.press('ArrowLeft');
  await expect.poll(() => input(page, 'ttft')).toBe('490');
  await expect(page.getByLabel('TTFT ≤', { exact: true })).toHaveValue('490');
});

test('a finger drags the TTFT handle', async ({ browser }) => {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  const page = await context.newPage();
  await open(page);
  const handle = page.getByRole('slider', { name: 'TTFT target' });
  await handle.scrollIntoViewIfNeeded();
  const box = (await handle.boundingBox())!;
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const session = await context.newCDPSession(page);
  const touch = (type: string, points: { x: number; y: number }[]) =>
    session.send('Input.dispatchTouchEvent', { type: type as 'touchStart', touchPoints: points });
  await touch('touchStart', [{ x, y }]);
  for (let step = 1; step <= 5; step += 1) await touch('touchMove', [{ x: x - 8 * step, y }]);
  await touch('touchEnd', []);
  await expect.poll(() => Number(input(page, 'ttft'))).toBeLessThan(490);
  await context.close();
});

test('the chart is walked by keys, zoomed by wheel and brush, and reset', async ({ page }) => {
  await open(page);
  const chart = page.locator('.chart');
  await chart.focus();
  await page.keyboard.press('ArrowRight');
  await expect(page.locator('.best h2')).toHaveText('Selected configuration');
  await expect(page.locator('.hover-card.held')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.locator('.best h2')).toHaveText('Best within your SLO');
  await expect(page.locator('.hover-card')).toBeHidden();

  const reset = page.getByRole('button', { name: 'Reset zoom' });
  const box = (await chart.boundingBox())!;
  await page.mouse.move(box.x + box.width / 2, box.y + 60);
  await page.mouse.wheel(0, -240);
  await expect(reset).toBeVisible();
  await reset.click();
  await page.mouse.move(box.x + box.width * 0.6, box.y + 60);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.9, box.y + 80, { steps: 4 });
  await page.mouse.up();
  await expect(reset).toBeVisible();
  await page.mouse.dblclick(box.x + box.width / 2, box.y + 60);
  await expect(reset).toBeHidden();
});
