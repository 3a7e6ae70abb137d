// run.mjs TARBALL PROGRAM RUNTIMES [RUNTIME ...] - installs the packed package into fresh folders and runs it under every
// runtime against a node: the README's example in a DM and in a group, the API's promises, the ways to end.
import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const [tarball, program, runtimes, ...only] = process.argv.slice(2);
const here = path.dirname(fileURLToPath(import.meta.url));
const work = mkdtempSync(path.join(tmpdir(), "xmtp-npm-"));
const TARBALL_MAX = 6 * 1024 * 1024;
const WAIT_MS = 20000;
const started = new Set();
const tally = { passed: 0, failed: 0, skipped: 0 };

// ---- small things

function result(ok, what, why = "") {
  tally[ok ? "passed" : "failed"]++;
  console.log(`${ok ? "pass" : "FAIL"}  ${what}${ok || why === "" ? "" : `\n${String(why).trim().replace(/^/gm, "      ")}`}`);
}

async function check(what, body) {
  try {
    await body();
    result(true, what);
  } catch (error) {
    result(false, what, error.message);
  }
}

function must(condition, why) {
  if (!condition) {
    throw new Error(why);
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Tries until the body gives something.
async function until(what, body, ms = WAIT_MS) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await body();
    if (value) {
      return value;
    }
    must(Date.now() < end, `not within ${ms} ms: ${what}`);
    await pause(50);
  }
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function answers(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(true) || socket.destroy());
    socket.on("error", () => resolve(false));
  });
}

// A process whose output is kept. ended: promise of {code, signal}.
function start(command, args, options) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
  const p = { child, out: "", err: "" };
  child.stdout.on("data", (data) => (p.out += data));
  child.stderr.on("data", (data) => (p.err += data));
  started.add(child);
  p.ended = new Promise((resolve) => {
    child.on("error", (error) => resolve({ code: -1, signal: null, error }));
    child.on("close", (code, signal) => resolve({ code, signal }));
  }).finally(() => started.delete(child));
  return p;
}

async function run(command, args, options, ms = 120000) {
  const p = start(command, args, options);
  const timer = setTimeout(() => p.child.kill("SIGKILL"), ms);
  const { code, signal } = await p.ended;
  clearTimeout(timer);
  return { code, signal, out: p.out, err: p.err };
}

const newKey = () => randomBytes(32).toString("hex");

// ---- the other side: the command line program

class Person {
  constructor(name, nodeUrl) {
    this.data = path.join(work, `${name}-data`);
    this.keyFile = path.join(work, `${name}.key`);
    writeFileSync(this.keyFile, newKey(), { mode: 0o600 });
    this.options = ["--node", nodeUrl, "--key-file", this.keyFile, "--data", this.data, "--json"];
  }

  async xmtp(...args) {
    const { code, out, err } = await run(program, [...args, ...this.options]);
    must(code === 0, `xmtp ${args[0]} ended with ${code}: ${err}`);
    return out.split("\n").filter(Boolean).map((line) => JSON.parse(line));
  }

  async open() {
    const [{ address }] = await this.xmtp("whoami");
    this.address = address;
    return this;
  }

  async answers(conversation, address) {
    const messages = await this.xmtp("inbox");
    return messages.filter((m) => m.kind === "application" && !m.own && m.conversation === conversation && m.sender_address === address);
  }
}

async function startNode() {
  const port = await freePort();
  const node = start(program, ["node", "--data", path.join(work, "node"), "--listen", `127.0.0.1:${port}`]);
  let hasEnded = false;
  node.ended.then(() => (hasEnded = true));
  await until("the node listens", async () => {
    must(!hasEnded, `the node ended: ${node.err}`);
    return answers(port);
  });
  return { ...node, url: `http://127.0.0.1:${port}` };
}

// ---- the runtimes

function findRuntimes() {
  const found = [];
  const arch = process.arch;
  for (const version of [18, 20, 22, 24]) {
    found.push({ name: `Node ${version}`, file: path.join(runtimes, `node${version}/node_modules/node-linux-${arch}/bin/node`), kind: "node" });
  }
  found.push({ name: "Bun", file: path.join(runtimes, `bun/node_modules/@oven/bun-linux-${arch}/bin/bun`), kind: "bun" });
  return found.filter((one) => only.length === 0 || only.includes(one.name.replace(" ", "").toLowerCase()));
}

function npmFile() {
  const npm = spawnSync("sh", ["-c", "command -v npm"], { encoding: "utf8" }).stdout.trim();
  return realpathSync(npm);
}

// A PATH that holds the runtime and a shell: no compiler, no make, no Python.
function bareEnvironment(folder, runtime) {
  const bin = path.join(folder, "bin");
  const home = path.join(folder, "home");
  mkdirSync(bin);
  mkdirSync(home);
  symlinkSync(runtime.file, path.join(bin, runtime.kind));
  for (const tool of ["sh", "env"]) {
    symlinkSync(realpathSync(`/bin/${tool}`), path.join(bin, tool));
  }
  const network = Object.entries(process.env).filter(([name]) => /^npm_config_|^(https?|no)_proxy$|^SSL_CERT|^NODE_EXTRA/i.test(name));
  return { ...Object.fromEntries(network), PATH: bin, HOME: home, BUN_INSTALL_CACHE_DIR: path.join(folder, "cache"), npm_config_cache: path.join(folder, "cache") };
}

async function install(runtime, folder, env) {
  writeFileSync(path.join(folder, "package.json"), JSON.stringify({ name: "fresh", private: true, type: "module" }));
  const args = runtime.kind === "bun" ? ["install", tarball] : [npmFile(), "install", "--no-audit", "--no-fund", "--offline", tarball];
  const { code, out, err } = await run(runtime.file, args, { cwd: folder, env });
  must(code === 0, `ended with ${code}: ${out}${err}`);
  must(existsSync(path.join(folder, "node_modules/xmtp/package.json")), "there is no node_modules/xmtp");
  for (const file of ["founding-example.mjs", "api.mjs", "exit.mjs"]) {
    copyFileSync(path.join(here, file), path.join(folder, file));
  }
}

// ---- what is checked

async function checkExample(runtime, folder, env, person) {
  const agent = start(runtime.file, ["founding-example.mjs"], { cwd: folder, env: { ...env, WALLET_PRIVATE_KEY: newKey() } });
  const running = () => must(agent.child.exitCode === null, `the example ended: ${agent.err}`);
  let address;
  await check(`${runtime.name}: the example starts`, async () => {
    address = await until("ready", () => running() ?? /^ready (0x[0-9a-f]{40})$/m.exec(agent.out)?.[1]);
  });
  if (address !== undefined) {
    await check(`${runtime.name}: the example answers in a DM and prints the sender's address`, async () => {
      const [{ conversation }] = await person.xmtp("send", address, "hi from a dm");
      const [answer] = await until("the answer", async () => running() ?? someOf(await person.answers(conversation, address)));
      must(answer.text === "hello", `the answer is ${JSON.stringify(answer.text)}`);
      must(answer.conversation_kind === "dm", `it came in a ${answer.conversation_kind}`);
      must(agent.out.includes(`Decoded message: hi from a dm by ${person.address}\n`), `it printed ${agent.out}`);
    });
    await check(`${runtime.name}: the example answers in a group and prints the sender's address`, async () => {
      const [{ id }] = await person.xmtp("group", "create", address);
      await person.xmtp("send", id, "hi from a group");
      const [answer] = await until("the answer", async () => running() ?? someOf(await person.answers(id, address)));
      must(answer.text === "hello", `the answer is ${JSON.stringify(answer.text)}`);
      must(answer.conversation_kind === "group", `it came in a ${answer.conversation_kind}`);
      must(agent.out.includes(`Decoded message: hi from a group by ${person.address}\n`), `it printed ${agent.out}`);
    });
    await check(`${runtime.name}: the example printed each message once, and nothing else`, () => {
      const lines = agent.out.trim().split("\n");
      must(lines.length === 3 && agent.err === "", `${agent.out}${agent.err}`);
    });
  }
  agent.child.kill("SIGKILL");
  await agent.ended;
}

// Killed and started again in the middle of messages: each is answered, none twice.
async function checkKills(runtime, folder, env, person) {
  const messages = 15;
  const startAgent = () => start(runtime.file, ["founding-example.mjs"], { cwd: folder, env });
  let agent = startAgent();
  await check(`${runtime.name}: killed 4 times, the example answers each of ${messages} messages once`, async () => {
    const address = await until("ready", () => /^ready (0x[0-9a-f]{40})$/m.exec(agent.out)?.[1]);
    let conversation;
    for (let i = 0; i < messages; i++) {
      [{ conversation }] = await person.xmtp("send", address, `message ${i}`);
      if (i % 4 === 2) {
        agent.child.kill("SIGKILL");
        await agent.ended;
        agent = startAgent();
      }
    }
    const count = async () => (await person.answers(conversation, address)).length;
    await until("all answers", async () => (await count()) >= messages);
    await pause(500);
    must((await count()) === messages, `${await count()} answers`);
  });
  agent.child.kill("SIGKILL");
  await agent.ended;
}

const someOf = (list) => (list.length > 0 ? list : undefined);

async function checkApi(runtime, folder, env) {
  const { code, out, err } = await run(runtime.file, ["api.mjs"], { cwd: folder, env }, 300000);
  let why = "";
  const flush = () => {
    if (why !== "") {
      const [first, ...more] = why.split("\n");
      result(false, `${runtime.name}: ${first}`, more.join("\n"));
      why = "";
    }
  };
  for (const line of out.split("\n")) {
    if (line.startsWith("ok ")) {
      flush();
      result(true, `${runtime.name}: ${line.slice(3)}`);
    } else if (line.startsWith("not ok ")) {
      flush();
      why = line.slice(7);
    } else if (why !== "" && line !== "end") {
      why += `\n${line}`;
    }
  }
  flush();
  result(code === 0 && out.includes("\nend\n"), `${runtime.name}: the API checks end by themselves`, `ended with ${code}: ${out.slice(-300)}${err}`);
}

async function checkExits(runtime, folder, env) {
  for (const [how, wanted] of [["close", 0], ["process.exit", 7], ["uncaught", runtime.kind === "bun" ? [1, 7] : 1], ["worker", 0]]) {
    await check(`${runtime.name}: a process with agents ends cleanly: ${how}`, async () => {
      const begin = Date.now();
      const { code, signal, err } = await run(runtime.file, ["exit.mjs", how], { cwd: folder, env }, 30000);
      must([wanted].flat().includes(code), `exit code ${code}, signal ${signal}, after ${Date.now() - begin} ms: ${err}`);
    });
  }
  await check(`${runtime.name}: agents that nobody closes keep the process, SIGTERM ends it`, async () => {
    const p = start(runtime.file, ["exit.mjs", "stays"], { cwd: folder, env });
    await until("ready", () => p.out.includes("ready"));
    await pause(500);
    must(p.child.exitCode === null, `it ended with ${p.child.exitCode}: ${p.err}`);
    p.child.kill("SIGTERM");
    const { code, signal } = await p.ended;
    must(signal === "SIGTERM" || code === 143, `exit code ${code}, signal ${signal}`);
  });
}

async function checkRuntime(runtime, node) {
  const slug = runtime.name.replace(" ", "").toLowerCase();
  const folder = path.join(work, slug);
  mkdirSync(folder);
  const env = { ...bareEnvironment(folder, runtime), XMTP_NODE: node.url };
  let isInstalled = false;
  await check(`${runtime.name}: ${runtime.kind === "bun" ? "bun" : "npm"} installs the tarball, no compiler at hand`, async () => {
    await install(runtime, folder, env);
    isInstalled = true;
  });
  if (!isInstalled) {
    return;
  }
  // What runs in the fresh folder has a home of its own, to see that nothing is written there.
  env.HOME = path.join(folder, "empty");
  mkdirSync(env.HOME);
  await checkApi(runtime, folder, env);
  env.XMTP_DATA_DIR = path.join(folder, "data");
  const person = await new Person(slug, node.url).open();
  await checkExample(runtime, folder, env, person);
  await checkKills(runtime, folder, { ...env, WALLET_PRIVATE_KEY: newKey() }, person);
  await checkExits(runtime, folder, env);
}

function checkTarball() {
  const { size } = statSync(tarball);
  result(size <= TARBALL_MAX, `the tarball has at most 6 MB (${(size / 1048576).toFixed(2)} MB)`);
}

async function main() {
  checkTarball();
  const node = await startNode();
  for (const runtime of findRuntimes()) {
    if (!existsSync(runtime.file)) {
      tally.skipped++;
      console.log(`skip  ${runtime.name}: not installed`);
      continue;
    }
    await checkRuntime(runtime, node);
  }
}

try {
  await main();
} catch (error) {
  result(false, "the run itself", error.stack);
} finally {
  for (const child of started) {
    child.kill("SIGKILL");
  }
  tally.failed === 0 ? rmSync(work, { recursive: true, force: true }) : console.log(`what was left: ${readdirSync(work).length} entries in ${work}`);
}
console.log(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`);
process.exitCode = tally.failed === 0 && tally.passed > 0 ? 0 : 1;
