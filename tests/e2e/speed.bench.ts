// From an edit to the answer on the page, by the browser's own timers.
import type { Page } from '@playwright/test';
import { AIRLINE, answered, open, test } from './page';

const RUNS = 20;

function median(times: number[]): string {
  const sorted = [...times].sort((a, b) => a - b);
  const middle = (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.ceil((sorted.length - 1) / 2)]) / 2;
  return `${middle.toFixed(1)} ms, median of ${times.length}, ${sorted[0].toFixed(1)} to ${sorted[sorted.length - 1].toFixed(1)}`;
}

/** Types a value and waits, inside the page, until another answer stands there. */
async function edit(page: Page, id: string, value: string): Promise<number> {
  return page.evaluate(
    ([id, value]) =>
      new Promise<number>((resolve, reject) => {
        const shown = () =>
          ['.counter', '.funnel', '.best', 'tbody'].map((part) => document.querySelector(part)?.textContent).join();
        const field = document.getElementById(id) as HTMLInputElement;
        const before = shown();
        const late = setTimeout(() => reject(new Error(`no other answer to ${id} ${value}`)), 20_000);
        const start = performance.now();
        const observer = new MutationObserver(() => {
          if (shown() === before) return;
          observer.disconnect();
          clearTimeout(late);
          resolve(performance.now() - start);
        });
        observer.observe(document.body, { characterData: true, childList: true, subtree: true });
        field.value = value;
        field.dispatchEvent(new Event('input', { bubbles: true }));
      }),
    [id, value],
  );
}

/** Watches for work that blocks the page; the browser reports tasks over 50 ms. */
async function watch(page: Page) {
  await page.addInitScript(() => {
    const tasks: number[] = [];
    new PerformanceObserver((list) => tasks.push(...list.getEntries().map((entry) => entry.duration))).observe({
      type: 'longtask',
    });
    Object.assign(window, { tasks });
  });
}

/** Forgets the tasks seen so far, and says how long the longest of them was, ms; 0 when none was over 50 ms. */
async function longest(page: Page): Promise<number> {
  return page.evaluate(() => Math.max(0, ...(window as unknown as { tasks: number[] }).tasks.splice(0)));
}

const QUESTIONS = [
  ['Qwen3-32B-FP8 on 32 × H100, TensorRT-LLM', AIRLINE],
  ...['trtllm', 'sglang', 'vllm'].map((backend) => [
    `DeepSeek-V3 on 64 × H200, ${backend}`,
    `?v=1&model=deepseek-ai/DeepSeek-V3&system=h200_sxm&gpus=64&backend=${backend}&isl=4000&osl=500&prefix=0&ttft=1000&itl=50`,
  ]),
];

for (const [name, address] of QUESTIONS) {
  test(name, async ({ page }) => {
    await watch(page);
    await open(page, address);
    await page.waitForTimeout(500);
    await longest(page);
    const answers: number[] = [];
    const moves: number[] = [];
    for (let run = 0; run < RUNS; run += 1) {
      // Another output length is another question: every layout and batch is searched again.
      answers.push(await edit(page, 'osl', String(300 + 13 * run)));
      await answered(page);
      await page.waitForTimeout(200);
    }
    const searching = await longest(page);
    for (let run = 0; run < RUNS; run += 1) {
      moves.push(await edit(page, 'itl', String(22 + run)));
      await answered(page);
      await page.waitForTimeout(200);
    }
    console.log(`${name}:`);
    console.log(`  edit to answer, every layout searched again: ${median(answers)}`);
    console.log(`  ITL moved, kept rows filtered again:         ${median(moves)}`);
    console.log(`  longest task of the page: ${searching} ms while searching, ${await longest(page)} ms while moving`);
  });
}

test('a replay of 10,000 requests', async ({ page }) => {
  await watch(page);
  await page.goto('./#replay.constant-peak10-min17-calm0-static-alone-d4-p4');
  const going = page.locator('#replay-share');
  const times: number[] = [];
  let requests = '';
  for (let run = 0; run < RUNS; run++) {
    await going.and(page.locator(':text-is("")')).waitFor({ state: 'attached' });
    const time = await page.evaluate(
      (seed) =>
        new Promise<number>((resolve) => {
          const share = document.getElementById('replay-share');
          const field = document.getElementById('seed') as HTMLInputElement;
          let start = 0;
          const observer = new MutationObserver(() => {
            if (start === 0 && share?.textContent !== '') start = performance.now();
            if (start > 0 && share?.textContent === '') {
              observer.disconnect();
              resolve(performance.now() - start);
            }
          });
          observer.observe(document.body, { characterData: true, childList: true, subtree: true });
          field.value = String(seed);
          field.dispatchEvent(new Event('input', { bubbles: true }));
        }),
      run + 2,
    );
    times.push(time);
    requests = await page.locator('.figures-of-run tbody tr', { hasText: 'Requests served' }).locator('td').nth(1).innerText();
  }
  console.log(`replay of ${requests} requests, timelines drawn: ${median(times)}; longest task ${(await longest(page)).toFixed(0)} ms`);
});
