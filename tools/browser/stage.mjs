// A server and a browser that is signed in, for tests and for pictures.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { appendFileSync, cpSync, lstatSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";

const require = createRequire(path.join(process.env.ANNALS_MODULES, "modules.cjs"));
const { chromium } = require("playwright-core");
export const { default: AxeBuilder } = require("@axe-core/playwright");

const SAMPLE = path.join(process.env.ANNALS_CACHE, "sample");
const SECONDS_TO_START = 60;

// `annals serve` on a store. It can be ended and started again at the same address, as an owner
// that is restarted under an open page.
export class Server {
  constructor(store, config) {
    this.store = store;
    this.config = config;
    this.port = 0;
  }

  async start() {
    const words = ["-s", this.store, ...(this.config ? ["--config", this.config] : [])];
    words.push("serve", "--json", "--listen", `127.0.0.1:${this.port}`);
    this.process = spawn(process.env.ANNALS, words, { stdio: ["ignore", "pipe", "inherit"] });
    const lines = createInterface({ input: this.process.stdout });
    const first = new Promise((resolve, reject) => {
      lines.once("line", resolve);
      this.process.once("exit", (code) => reject(new Error(`annals serve ended with ${code}`)));
      setTimeout(() => reject(new Error("annals serve says nothing")), SECONDS_TO_START * 1000).unref();
    });
    const { url, login, token } = JSON.parse(await first);
    Object.assign(this, { url, login, token, port: Number(new URL(url).port) });
  }

  async stop() {
    const ended = new Promise((resolve) => this.process.once("exit", resolve));
    this.process.kill("SIGTERM");
    await ended;
  }

  async restart() {
    await this.stop();
    await this.start();
  }

  // Makes a key for the store, beside it, and goes on with that.
  async giveKey() {
    const file = path.join(path.dirname(this.config), "line.key");
    await this.stop();
    await this.annals("--key-file", file, "key", "init");
    appendFileSync(this.config, `\n[evidence]\nkey_file = "${file}"\nrecord_access = true\n`);
    await this.start();
    this.hasKey = true;
  }

  // A request of a program, with the token.
  fetch(route, options = {}) {
    const headers = { Authorization: `Bearer ${this.token}`, ...options.headers };
    return fetch(new URL(route, this.url), { ...options, headers });
  }

  // Runs the command line on the same store, and returns its objects.
  async annals(...words) {
    const child = spawn(process.env.ANNALS, ["-s", this.store, "--json", "-y", ...words]);
    let text = "";
    child.stdout.on("data", (part) => (text += part));
    const code = await new Promise((resolve) => child.once("close", resolve));
    assert.equal(code, 0, words.join(" "));
    return text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
  }
}

// Serves a copy of the sample store. Returns the server, and how to end it and remove the copy.
export async function serveSample() {
  const outer = mkdtempSync(path.join(tmpdir(), "annals-browser-"));
  // Pages show the name of this folder.
  const folder = path.join(outer, "plant-a");
  // The socket of an owner that is gone cannot be copied.
  cpSync(SAMPLE, folder, { recursive: true, filter: (file) => !lstatSync(file).isSocket() });
  const server = new Server(path.join(folder, "store"), path.join(folder, "host.toml"));
  await server.annals("confirm-move").catch(() => {});
  await server.start();
  const end = async () => {
    await server.stop();
    rmSync(outer, { recursive: true, force: true });
  };
  return { server, end };
}

export async function launch() {
  const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  return chromium.launch({ executablePath: process.env.ANNALS_CHROMIUM, args });
}

export async function signIn(page, server) {
  const [{ login }] = await server.annals("serve").catch(() => [server]);
  await page.goto(login);
  await page.waitForURL((url) => url.pathname !== "/login");
}

