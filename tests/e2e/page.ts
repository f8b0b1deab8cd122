// What every browser test shares: a page that must stay free of errors, and ways to read it.
import { expect, test as base, type Page } from '@playwright/test';

/** trunk's loader of the worker calls wasm-bindgen's start function the old way; nothing of ours. */
const KNOWN = [/using deprecated parameters for the initialization function/];

export const test = base.extend<{ noise: string[] }>({
  noise: [
    async ({ page }, use) => {
      const noise: string[] = [];
      page.on('pageerror', (error) => noise.push(`error: ${error.message}`));
      page.on('console', (message) => {
        const bad = message.type() === 'error' || message.type() === 'warning';
        if (bad && !KNOWN.some((known) => known.test(message.text()))) {
          noise.push(`${message.type()}: ${message.text()}`);
        }
      });
      await use(noise);
      expect(noise, 'the console stays quiet').toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };

export const AIRLINE =
  '?v=1&model=Qwen/Qwen3-32B-FP8&system=h100_sxm&gpus=32&backend=trtllm&isl=4000&osl=500&prefix=0&ttft=500&itl=30';

/** Opens an address and waits for its first answer. */
export async function open(page: Page, address = './') {
  await page.goto(address);
  await answered(page);
}

/** Waits until the search has answered the question on the form. */
export async function answered(page: Page) {
  await expect(page.locator('.progress')).not.toHaveClass(/busy|resting/);
  await expect(page.locator('.explore.stale')).toHaveCount(0);
  await expect(page.locator('#announcement')).toContainText('tried');
}

/** The big number of the card. */
export async function hero(page: Page): Promise<string> {
  return (await page.locator('.best .hero b').textContent()) ?? '';
}

/** A number of the address. */
export function input(page: Page, key: string): string | null {
  return new URL(page.url()).searchParams.get(key);
}

/** All figures on the page, to compare two visits digit by digit. */
export async function figures(page: Page): Promise<string> {
  const parts = await page.locator('.best .hero, .best dl, .funnel, tbody').allInnerTexts();
  return parts.join('\n');
}
