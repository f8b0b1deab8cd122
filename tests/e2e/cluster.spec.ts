// Live status from a server of the test's own: the storm, a real Prometheus, a token.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from './page';
import { freePort, type Running, serve, start } from './server';

/** The browser itself reports refused requests; nothing else may be in the console. */
function onlyRefusals(noise: string[]) {
  expect(noise.filter((line) => !/Failed to load resource|ERR_/.test(line))).toEqual([]);
  noise.length = 0;
}

test('the storm from the server: 1P + 1D → 2P + 1D with the reason, the SLO lost and regained', async ({ page }) => {
  test.setTimeout(120_000);
  const server = await serve(['--speed', '40']);
  try {
    await page.goto(`${server.url}/#live`);
    const log = page.getByRole('region', { name: 'Decisions', exact: true });
    await expect(log).toContainText('Prefill 1 → 2', { timeout: 30_000 });
    await expect(log).toContainText('Every prefill worker is estimated above its target');
    await expect(page.locator('.fleet')).toContainText(/starting/i);
    // The whole round has been told when a worker goes again.
    await expect(log).toContainText('Prefill 2 → 1', { timeout: 60_000 });
    const history = await (await fetch(`${server.url}/api/cluster/history`)).json();
    const up = history.decisions.find((decision: { to: number; from: number }) => decision.to > decision.from);
    expect(up).toMatchObject({ role: 'prefill', from: 1, to: 2, by: 'load', reason: 'scale_up' });
    const after = (from: number, to: number) =>
      history.samples
        .filter((sample: { at_ms: number }) => sample.at_ms >= from && sample.at_ms < to)
        .map((sample: { ttft_ms: number | null }) => sample.ttft_ms)
        .filter((ttft: number | null) => ttft !== null);
    expect(Math.max(...after(0, up.at_ms - 5_000))).toBeLessThan(500);
    expect(Math.min(...after(up.at_ms + 20_000, up.ready_ms))).toBeGreaterThan(500);
    const held = after(up.ready_ms + 120_000, up.at_ms + 700_000);
    expect(held.filter((ttft: number) => ttft <= 500).length / held.length).toBeGreaterThan(0.95);
    // The same on screen: the line is read under the cursor.
    const slider = page.getByRole('slider', { name: 'Moment on the timelines' });
    await log.getByRole('button').last().click();
    await expect(slider).toHaveAttribute('aria-valuetext', /over the target/);
  } finally {
    await server.stop();
  }
});

/** What a frontend and a planner would export, as a function of the time since the start. */
function exporter(): Server {
  const began = Date.now();
  return createServer((_, response) => {
    const seconds = (Date.now() - began) / 1000;
    const requests = 2 * seconds;
    const labels = '{model="airline-model",dynamo_namespace="serving-airline"}';
    const lines = [`dynamo_frontend_requests_started_total${labels} ${requests}`];
    for (const [name, mean] of [
      ['time_to_first_token_seconds', 0.4],
      ['inter_token_latency_seconds', 0.02],
      ['input_sequence_tokens', 3000],
      ['output_sequence_tokens', 150],
      ['request_duration_seconds', 3.4],
    ] as const) {
      lines.push(`dynamo_frontend_${name}_sum${labels} ${requests * mean}`, `dynamo_frontend_${name}_count${labels} ${requests}`);
    }
    const planner = '{dynamo_namespace="serving-airline"}';
    for (const [name, value] of [
      ['num_prefill_replicas', 1],
      ['num_decode_replicas', 1],
      ['predicted_num_prefill_replicas', 1],
      ['predicted_num_decode_replicas', 1],
      ['sla_target_ttft_ms', 500],
      ['sla_target_itl_ms', 30],
      ['estimated_ttft_ms', 410],
      ['estimated_itl_ms', 19],
    ] as const) {
      lines.push(`dynamo_planner_${name}${planner} ${value}`);
    }
    lines.push('dynamo_planner_load_scaling_decision{dynamo_namespace="serving-airline",dynamo_planner_load_scaling_decision="no_change"} 1');
    response.setHeader('content-type', 'text/plain; version=0.0.4');
    response.end(`${lines.join('\n')}\n`);
  });
}

test('a real Prometheus: right values, then gone, then back', async ({ page, noise }) => {
  test.setTimeout(180_000);
  const metrics = exporter();
  const target = await freePort();
  await new Promise<void>((resolve) => metrics.listen(target, '127.0.0.1', resolve));
  const folder = mkdtempSync(join(tmpdir(), 'prometheus-'));
  writeFileSync(
    join(folder, 'prometheus.yml'),
    `global: {scrape_interval: 1s, scrape_timeout: 900ms}\nscrape_configs:\n  - job_name: dynamo\n    honor_labels: true\n    static_configs:\n      - targets: ["127.0.0.1:${target}"]\n`,
  );
  const port = await freePort();
  const prometheus = () =>
    start(
      'prometheus',
      [`--config.file=${folder}/prometheus.yml`, `--storage.tsdb.path=${folder}/data`, `--web.listen-address=127.0.0.1:${port}`],
      `http://127.0.0.1:${port}`,
      '/-/ready',
    );
  const running: Running[] = [];
  try {
    let source = await prometheus();
    running.push(source);
    const server = await serve(['--source', 'prometheus', '--prometheus-url', source.url, '--window', '10s']);
    running.push(server);
    await page.goto(`${server.url}/#live`);
    const tiles = page.locator('.tiles');
    await expect(tiles).toContainText('400', { timeout: 60_000 });
    await expect(tiles).toContainText('of 500 ms');
    await expect(tiles).toContainText('20');
    await expect(page.getByRole('region', { name: 'Plan with live traffic' })).toContainText('ISL 3,000');
    await expect(page.locator('.sources')).toContainText('Prometheus');

    await source.stop();
    await expect(page.locator('.sources')).toContainText(/stale/, { timeout: 60_000 });
    await expect(page.locator('.troubles')).toContainText(`http://127.0.0.1:${port}`);
    await expect(tiles).toContainText('400');

    source = await prometheus();
    running.push(source);
    await expect(page.locator('.sources')).not.toContainText(/stale/, { timeout: 90_000 });
    await expect(page.locator('.troubles')).not.toContainText(`http://127.0.0.1:${port}`);
  } finally {
    for (const one of running) await one.stop();
    metrics.close();
  }
  onlyRefusals(noise);
});

test('a server with a token lets nobody in without it', async ({ page, noise }) => {
  const folder = mkdtempSync(join(tmpdir(), 'token-'));
  const file = join(folder, 'token');
  writeFileSync(file, 'a-token-of-some-length\n', { mode: 0o600 });
  const server = await serve(['--token-file', file]);
  try {
    expect((await fetch(`${server.url}/api/cluster`)).status).toBe(401);
    await page.goto(`${server.url}/#live`);
    const field = page.getByLabel('Token', { exact: true });
    await field.fill('another-token-of-some-length');
    await page.keyboard.press('Enter');
    await expect(page.getByRole('alert').first()).toBeVisible();
    await field.fill('a-token-of-some-length');
    await page.keyboard.press('Enter');
    await expect(page.locator('.story-line')).toContainText('Simulated');
    const kept = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie);
    expect(kept).not.toContain('a-token');
  } finally {
    await server.stop();
  }
  onlyRefusals(noise);
});
