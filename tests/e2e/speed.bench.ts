// From an edit to the answer on the page, by the browser's own timers.
import type { Page } from '@playwright/test';
import { AIRLINE, open, test } from './page';

const RUNS = 20;

function median(times: number[]): string {
  const sorted = [...times].sort((a, b) => a - b);
  const middle = (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.ceil((sorted.length - 1) / 2)]) / 2;
  return `${middle.toFixed(1)} ms, median of ${times.length}, ${sorted[0].toFixed(1)} to ${sorted[sorted.length - 1].toFixed(1)}`;
}

/** Types a value and waits, inside the page, until `watched` says something else. */
async function edit(page: Page, id: string, value: string, watched: string): Promise<number> {
  return page.evaluate(
    ([id, value, watched]) =>
      new Promise<number>((resolve, reject) => {
        const field = document.getElementById(id) as HTMLInputElement;
        const target = document.querySelector(watched)!;
        const before = target.textContent;
        const late = setTimeout(() => reject(new Error(`${watched} did not change`)), 20_000);
        const start = performance.now();
        const observer = new MutationObserver(() => {
          if (target.textContent === before) return;
          observer.disconnect();
          clearTimeout(late);
          resolve(performance.now() - start);
        });
        observer.observe(target, { characterData: true, childList: true, subtree: true });
        field.value = value;
        field.dispatchEvent(new Event('input', { bubbles: true }));
      }),
    [id, value, watched],
  );
}

test('speed', async ({ page }) => {
  await open(page, AIRLINE);
  const answers: number[] = [];
  const moves: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    // Another output length is another question: every layout and batch is searched again.
    answers.push(await edit(page, 'osl', String(501 + run), '.funnel'));
    await page.waitForTimeout(300);
  }
  for (let run = 0; run < RUNS; run += 1) {
    moves.push(await edit(page, 'itl', String(20 + run), '.funnel'));
    await page.waitForTimeout(400);
  }
  console.log(`edit to answer, every layout searched again: ${median(answers)}`);
  console.log(`ITL moved, kept rows filtered again:         ${median(moves)}`);
});
