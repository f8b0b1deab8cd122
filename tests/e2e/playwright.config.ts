import { defineConfig } from '@playwright/test';

// `.ci/e2e` sets these; the defaults are for running Playwright by hand after `make site`.
const port = process.env.E2E_PORT ?? '8123';
const server = process.env.E2E_SERVER ?? '../../target/serve/server';
const site = process.env.E2E_SITE ?? '../../target/site';
const baseURL = `http://127.0.0.1:${port}`;

export default defineConfig({
  testDir: '.',
  outputDir: 'test-results',
  forbidOnly: !!process.env.CI,
  // A test that passes the second time has still failed.
  retries: 0,
  // The page keeps a second core busy with its search.
  workers: 1,
  timeout: 60_000,
  expect: { timeout: 15_000 },
  reporter: [['list']],
  use: {
    baseURL,
    viewport: { width: 1280, height: 800 },
    screenshot: 'only-on-failure',
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
  webServer: {
    command: `"${server}" --listen 127.0.0.1:${port} --site "${site}"`,
    url: `${baseURL}/readyz`,
    reuseExistingServer: false,
    timeout: 30_000,
    gracefulShutdown: { signal: 'SIGTERM', timeout: 5_000 },
  },
});
