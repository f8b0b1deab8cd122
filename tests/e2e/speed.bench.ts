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

test('speed', async ({ page }) => {
  await open(page, AIRLINE);
  const answers: number[] = [];
  const moves: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    // Another output length is another question: every layout and batch is searched again.
    answers.push(await edit(page, 'osl', String(300 + 13 * run)));
    await answered(page);
    await page.waitForTimeout(200);
  }
  for (let run = 0; run < RUNS; run += 1) {
    moves.push(await edit(page, 'itl', String(12 + run)));
    await answered(page);
    await page.waitForTimeout(200);
  }
  console.log(`edit to answer, every layout searched again: ${median(answers)}`);
  console.log(`ITL moved, kept rows filtered again:         ${median(moves)}`);
});
