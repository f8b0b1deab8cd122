// The same question gives the same answer in the browser and on the command line.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AIRLINE, expect, hero, open, test } from './page';

const tools = process.env.E2E_TOOLS ?? '../../target/debug';

test('WebAssembly and native give equal bytes', async ({ page }) => {
  const folder = mkdtempSync(join(tmpdir(), 'wire-'));
  execFileSync(join(tools, 'wire'), [folder]);
  const names = readdirSync(folder).filter((name) => name.endsWith('.request'));
  expect(names.length).toBeGreaterThan(3);
  await page.goto('./');
  for (const name of names) {
    const request = [...readFileSync(join(folder, name))];
    const want = readFileSync(join(folder, name.replace('.request', '.reply')));
    const got = await page.evaluate(async (request) => {
      const worker = new Worker('./worker_loader.js');
      try {
        return await new Promise<number[]>((resolve, reject) => {
          worker.onerror = (event) => reject(new Error(event.message));
          worker.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
            const bytes = new Uint8Array(data);
            // Ready is the first kind of reply, Found the fourth; after it come only failures.
            if (bytes[0] === 0) {
              const message = new Uint8Array(request).buffer;
              worker.postMessage(message, [message]);
            } else if (bytes[0] === 3) {
              resolve([...bytes]);
            } else if (bytes[0] > 3) {
              reject(new Error(`reply of kind ${bytes[0]}`));
            }
          };
        });
      } finally {
        worker.terminate();
      }
    }, request);
    // The last eight bytes are the time it took.
    const same = Buffer.from(got.slice(0, -8)).equals(want.subarray(0, -8));
    expect(same, `${name}: ${got.length} bytes, want ${want.length}`).toBe(true);
  }
});

test('a replay gives equal bytes in WebAssembly and natively', async ({ page }) => {
  const folder = mkdtempSync(join(tmpdir(), 'wire-'));
  execFileSync(join(tools, 'wire'), [folder]);
  const ask = [...readFileSync(join(folder, 'storm.ask'))];
  const want = readFileSync(join(folder, 'storm.told'));
  await page.goto('./');
  const got = await page.evaluate(async ({ ask, length }) => {
    const worker = new Worker('./replay_loader.js');
    try {
      return await new Promise<number[]>((resolve, reject) => {
        const told: number[] = [];
        worker.onerror = (event) => reject(new Error(event.message));
        worker.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
          const bytes = new Uint8Array(data);
          // Ready is the first kind of reply.
          if (bytes[0] === 0) {
            const message = new Uint8Array(ask).buffer;
            worker.postMessage(message, [message]);
          } else {
            for (const byte of bytes) told.push(byte);
            if (told.length >= length) resolve(told);
          }
        };
      });
    } finally {
      worker.terminate();
    }
  }, { ask, length: want.length });
  expect(Buffer.from(got).equals(want), `${got.length} bytes, want ${want.length}`).toBe(true);
});

test('the command line, given the share link, prints the digits of the page', async ({ page }) => {
  await open(page, AIRLINE);
  const link = page.url();
  const printed = execFileSync(join(tools, 'configurator'), ['search', link], {
    encoding: 'utf8',
    env: { ...process.env, CONFIGURATOR_DATA: '../../perf-data/packs' },
  });
  expect(printed).toContain(`${await hero(page)} tokens/s/GPU`);
  // Every figure of the page's first row stands in the first pick of the command line.
  const pick = printed.split('\n').find((line) => /^1 /.test(line)) ?? '';
  const facts = await page.locator('.best dl dd').allInnerTexts();
  const [ttft, itl, user, cluster] = facts.map((fact) => fact.trim().split(/\s+/)[0]);
  for (const figure of [ttft, itl, user, cluster]) {
    expect(pick.split(/\s+/), `${figure} in: ${pick}`).toContain(figure);
  }
  const tried = (await page.locator('.funnel').innerText()).match(/[\d,]+/)?.[0] ?? 'nothing';
  expect(printed).toContain(`${tried} tried`);
});
