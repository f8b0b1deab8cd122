// Servers that a test starts for itself, beside the one that serves all others.
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

/** A running program and the way to end it. */
export interface Running {
  url: string;
  child: ChildProcess;
  stop(): Promise<void>;
}

/** Waits until an address answers with success. */
export async function until(url: string, seconds = 30) {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const ok = await fetch(url).then((answer) => answer.ok, () => false);
    if (ok) return;
    if (Date.now() > deadline) throw new Error(`${url} does not answer`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Starts a program and waits for the address that says it is ready. */
export async function start(program: string, args: string[], url: string, ready: string): Promise<Running> {
  const child = spawn(program, args, { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  try {
    await until(url + ready);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, child, stop };
}

/** The server, with arguments of the test's own. */
export async function serve(args: string[]): Promise<Running> {
  const port = await freePort();
  const { E2E_SERVER = '../../target/serve/server', E2E_SITE = '../../target/site' } = process.env;
  const all = ['--listen', `127.0.0.1:${port}`, '--site', E2E_SITE, ...args];
  return start(E2E_SERVER, all, `http://127.0.0.1:${port}`, '/readyz');
}
