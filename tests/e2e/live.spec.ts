import type { Page } from '@playwright/test';
import { answered, expect, input, test } from './page';

/** What a server would say of a fleet in a storm; the same shape as `/api/cluster`. */
function snapshot(seq: number, change: (it: Record<string, any>) => void = () => {}) {
  const count = (desired: number, starting: number, ready: number) => ({
    desired, scheduled: desired, starting, ready, draining: 0,
  });
  const pool = (role: string, counts: object, workers: object[]) => ({
    role, name: role, count: counts, gpus_per_replica: 1, since_ms: 65_000, lower_bound: null,
    capacity_per_sec: 5.4, queued_tokens: 600_000, kv_usage: 0.3, workers,
  });
  const none = { requests_per_sec: null, isl: null, osl: null, ttft_ms: null, itl_ms: null, kv_hit_rate: null, in_flight: null };
  const it: Record<string, any> = {
    schema: 1,
    seq,
    at_ms: Date.now(),
    sources: [
      { kind: 'prometheus', health: 'live', since_ms: 0, heard_ms: Date.now(), retry_ms: null, trouble: null },
    ],
    status: {
      now_ms: 120_000 + seq * 1_000,
      simulated: null,
      deployment: {
        name: 'airline', namespace: 'serving', model: 'Qwen/Qwen3-32B-FP8', system: 'h100_sxm', state: 'successful',
        ready: null, rollout: null, request: null, observed: true,
      },
      slo: { ttft_ms: 500, itl_ms: 30 },
      pools: [
        pool('prefill', count(2, 1, 1), [
          { name: 'prefill-0', state: 'ready', since_ms: 0, start_ms: 180_000, why: null },
          { name: 'prefill-1', state: 'waiting', since_ms: 65_000, start_ms: null, why: 'no node has a free GPU' },
        ]),
        pool('decode', count(1, 0, 1), []),
      ],
      gpus: { used: 2, starting: 1, most: 4, fewest: null },
      observed: { ...none, requests_per_sec: 8, isl: 3000, osl: 150, ttft_ms: 690, itl_ms: 12, in_flight: 20 },
      predicted: { ...none, requests_per_sec: 8 },
      estimated: { ttft_ms: 36_920, itl_ms: 11.6 },
      attainment: 0.38,
      planner: {
        load: 'scaling_in_progress', load_prefill: null, load_decode: null, throughput: 'set_lower_bound',
        at_ms: 120_000, gpu_hours: null,
      },
      decisions: [
        {
          at_ms: 65_000, role: 'prefill', from: 1, to: 2, ready: 1, by: 'load', reason: 'scale_up',
          estimated: { ttft_ms: 36_920, itl_ms: 11.6 }, cancels: false, ready_ms: null,
        },
      ],
      events: [
        { at_ms: 70_000, warning: true, about: 'Pod/prefill-1', reason: 'FailedScheduling', message: 'no free GPU' },
      ],
      signals: [{ what: 'traffic', at_ms: 115_000, source: 'prometheus' }],
    },
  };
  change(it);
  return it;
}

const HISTORY = { schema: 1, step_ms: 1000, samples: [], decisions: [] };

/** A server that says what `say` gives; its stream sends `events` and then stays open, silent. */
async function served(page: Page, say: () => unknown) {
  await page.route('**/api/cluster', (route) => route.fulfill({ json: say() }));
  await page.route('**/api/cluster/history', (route) => route.fulfill({ json: HISTORY }));
  // Never answered: a stream on which nothing happens.
  await page.route('**/api/cluster/events', () => {});
}

/** The browser itself reports refused requests; nothing else may be in the console. */
function onlyRefusals(noise: string[]) {
  expect(noise.filter((line) => !/Failed to load resource|ERR_/.test(line))).toEqual([]);
  noise.length = 0;
}

const slider = (page: Page) => page.getByRole('slider', { name: 'Moment on the timelines' });

test('the simulated fleet is labelled and moves without a reload', async ({ page }) => {
  await page.goto('./#live');
  await expect(page.locator('.story-line')).toContainText('Simulated');
  await expect(page.getByRole('region', { name: 'Timelines' })).toBeVisible();
  const before = await slider(page).getAttribute('aria-valuenow');
  await expect.poll(() => slider(page).getAttribute('aria-valuenow')).not.toBe(before);
  await expect(page.locator('.sources')).toContainText('Simulation');
});

test('the view can stand while the stream goes on', async ({ page }) => {
  await page.goto('./#live');
  await expect(slider(page)).toBeVisible();
  await page.getByRole('button', { name: 'Pause' }).click();
  const before = await slider(page).getAttribute('aria-valuenow');
  await expect(page.locator('#live-news')).toContainText(/\d+ new/);
  expect(await slider(page).getAttribute('aria-valuenow')).toBe(before);
  await page.getByRole('button', { name: 'Resume' }).click();
  await expect(page.locator('#live-news')).toBeEmpty();
  await expect.poll(() => slider(page).getAttribute('aria-valuenow')).not.toBe(before);
});

test('status, reasons and decisions are read in words', async ({ page }) => {
  await served(page, () => snapshot(1));
  await page.goto('./#live');
  await expect(page.locator('.tiles')).toContainText('38 % over the target of 500 ms');
  await expect(page.locator('.tiles')).toContainText('Prefill 1 → 2');
  const says = page.getByRole('region', { name: 'What the planner says' });
  await expect(says).toContainText('Nothing happens because an earlier change is still under way');
  await expect(says).toContainText('prefill-1 has been waiting for a node for 56 s: no node has a free GPU');
  await expect(page.locator('.budget')).toContainText('2 GPUs in use, 1 starting, at most 4');
  const log = page.getByRole('region', { name: 'Decisions', exact: true });
  await expect(log).toContainText('Every prefill worker is estimated above its target');
  await expect(log).toContainText('FailedScheduling');
});

test('keys alone walk the timelines', async ({ page }) => {
  await served(page, () => snapshot(1));
  await page.route('**/api/cluster/history', (route) => {
    const samples = Array.from({ length: 120 }, (_, at) => ({
      at_ms: at * 1000, requests_per_sec: 1, predicted_per_sec: 1, capacity_per_sec: 5, isl: 3000, osl: 150,
      ttft_ms: at < 60 ? 190 : 30_000, itl_ms: 12, estimated_ttft_ms: 200, estimated_itl_ms: 11, attainment: 1,
      prefill: { desired: 1, scheduled: 1, starting: 0, ready: 1, draining: 0 },
      decode: { desired: 1, scheduled: 1, starting: 0, ready: 1, draining: 0 },
      queued_tokens: 0, kv_usage: 0.1, gpus: 2,
    }));
    return route.fulfill({ json: { ...HISTORY, samples } });
  });
  await page.goto('./#live');
  await slider(page).focus();
  await page.keyboard.press('Home');
  await expect(slider(page)).toHaveAttribute('aria-valuenow', '0');
  await expect(slider(page)).toHaveAttribute('aria-valuetext', /TTFT, ms: 190 observed/);
  await page.keyboard.press('ArrowRight');
  await expect(slider(page)).toHaveAttribute('aria-valuenow', '1000');
  await page.keyboard.press('PageUp');
  await expect(slider(page)).toHaveAttribute('aria-valuenow', '13100');
  await page.keyboard.press('End');
  await expect(slider(page)).toHaveAttribute('aria-valuetext', /over the target/);
  // The decision after the slider, by Tab.
  await page.keyboard.press('Tab');
  await expect(page.getByRole('button', { name: /Prefill 1 → 2, by the load loop/ })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(slider(page)).toHaveAttribute('aria-valuenow', '65000');
  await expect(page.locator('.latest')).toContainText('Prefill 1 → 2');
  await slider(page).focus();
  await page.keyboard.press('Escape');
  await expect(slider(page)).toHaveAttribute('aria-valuenow', '121000');
});

test('a stale source says why and when it is asked again', async ({ page }) => {
  await served(page, () =>
    snapshot(1, (it) => {
      it.sources = [
        {
          kind: 'prometheus', health: 'stale', since_ms: Date.now() - 42_000, heard_ms: Date.now() - 42_000,
          retry_ms: Date.now() + 600_000,
          trouble: { kind: 'unreachable', url: 'http://prometheus:9090', why: 'connection refused' },
        },
        {
          kind: 'kubernetes', health: 'live', since_ms: 0, heard_ms: Date.now(), retry_ms: null,
          trouble: { kind: 'forbidden', what: 'pods in namespace serving' },
        },
      ];
    }),
  );
  await page.goto('./#live');
  await expect(page.locator('.sources')).toContainText(/stale, last heard \d+ s ago, asked again in/);
  await expect(page.locator('.troubles')).toContainText('Nobody answers at http://prometheus:9090: connection refused.');
  await expect(page.locator('.troubles')).toContainText('pods in namespace serving');
  await expect(page.locator('.tiles')).toContainText('690');
});

test('a token is asked for, refused with words, and not kept by scripts', async ({ page, noise }) => {
  let open = false;
  await served(page, () => snapshot(1));
  await page.route('**/api/cluster', (route) =>
    open
      ? route.fulfill({ json: snapshot(1) })
      : route.fulfill({ status: 401, json: { title: 'A token is needed', detail: 'This is not loopback.', action: 'Look at the log.' } }),
  );
  await page.route('**/api/session', (route) => {
    open = route.request().method() === 'POST' && route.request().postDataJSON().token === 'right';
    return open
      ? route.fulfill({ status: 204 })
      : route.fulfill({ status: 401, json: { title: 'Wrong token', detail: 'It is another one.', action: 'Copy it again.' } });
  });
  await page.goto('./#live');
  await expect(page.locator('.notices')).toContainText('A token is needed');
  await page.getByLabel('Token', { exact: true }).fill('wrong');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('alert').filter({ hasText: 'Wrong token' })).toBeVisible();
  await page.getByLabel('Token', { exact: true }).fill('right');
  await page.keyboard.press('Enter');
  await expect(page.locator('.tiles')).toContainText('690');
  const kept = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie + location.href);
  expect(kept).not.toContain('right');
  onlyRefusals(noise);
});

test('without a server the screen says how to start one, and finds it', async ({ page, noise }) => {
  let there = false;
  await served(page, () => snapshot(1));
  await page.route('**/api/cluster', (route) =>
    there ? route.fulfill({ json: snapshot(1) }) : route.fulfill({ status: 404, body: 'no such file' }),
  );
  await page.goto('./#live');
  await expect(page.locator('.notices')).toContainText('No server with live status here');
  await expect(page.locator('.notices')).toContainText('make run');
  there = true;
  await page.getByRole('button', { name: 'Try now' }).click();
  await expect(page.locator('.tiles')).toContainText('690');
  await expect(page.locator('.notices .message')).toHaveCount(0);
  onlyRefusals(noise);
});

test('a server that goes leaves the last state, and comes back by itself', async ({ page, noise }) => {
  let gone = false;
  await served(page, () => snapshot(1));
  await page.route('**/api/cluster', (route) =>
    gone ? route.abort('connectionrefused') : route.fulfill({ json: snapshot(2) }),
  );
  await page.route('**/api/cluster/events', (route) => {
    gone = true;
    return route.fulfill({
      headers: { 'content-type': 'text/event-stream' },
      body: `event: snapshot\nid: 3\ndata: ${JSON.stringify(snapshot(3))}\n\n`,
    });
  });
  await page.goto('./#live');
  await expect(page.locator('.notices')).toContainText('The server has gone');
  await expect(page.locator('.tiles')).toContainText('690');
  await expect(page.locator('.live.aged')).toHaveCount(1);
  await page.route('**/api/cluster/events', () => {});
  gone = false;
  await expect(page.locator('.live.aged')).toHaveCount(0);
  onlyRefusals(noise);
});

test('hostile answers are words, not scripts', async ({ page, noise }) => {
  await served(page, () => ({ schema: 1, seq: 'many' }));
  await page.goto('./#live');
  await expect(page.locator('.notices')).toContainText('cannot be understood');
  await page.unrouteAll();
  await served(page, () =>
    snapshot(1, (it) => {
      it.status.deployment.model = '<img src=x onerror=alert(1)>';
      it.status.planner.load = '<b>bold</b>';
      it.status.observed.ttft_ms = 1e308;
      it.status.pools[0].count.ready = 4_294_967_295;
      it.status.decisions[0].reason = '"><script>alert(1)</script>';
    }),
  );
  await page.getByRole('button', { name: 'Try now' }).click();
  await expect(page.locator('.about')).toContainText('<img src=x onerror=alert(1)>');
  await expect(page.locator('.live img, .live script')).toHaveCount(0);
  await page.unrouteAll();
  await served(page, () => snapshot(1, (it) => { it.schema = 99; }));
  await page.reload();
  await expect(page.locator('.notices')).toContainText('version 99');
  onlyRefusals(noise);
});

test('live traffic becomes the question, with what runs on the chart', async ({ page }) => {
  await served(page, () => snapshot(1));
  await page.goto('./#live');
  const card = page.getByRole('region', { name: 'Plan with live traffic' });
  await expect(card).toContainText('ISL 3,000');
  await expect(card).toContainText('The backend is not told');
  await card.getByRole('button', { name: 'Plan with live traffic' }).click();
  await answered(page);
  expect(input(page, 'isl')).toBe('3000');
  expect(input(page, 'osl')).toBe('150');
  await expect(page.locator('.standing')).toContainText('Today: disaggregated');
  await page.getByRole('link', { name: 'Live' }).click();
  await expect(card).toContainText('than predicted');
});

test('a phone shows all of it without sideways scroll', async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await served(page, () => snapshot(1));
  await page.goto('./#live');
  await expect(slider(page)).toBeVisible();
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  expect(width).toBeLessThanOrEqual(390);
});
