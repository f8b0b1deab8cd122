// `make bench`: figures, not tests. They are printed, never judged.
import { defineConfig } from '@playwright/test';
import config from './playwright.config';

export default defineConfig({ ...config, testMatch: '*.bench.ts', timeout: 120_000 });
