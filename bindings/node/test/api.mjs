// api.mjs - what the README promises, checked against a node: one line `ok ...` or `not ok ...` a fact.
// Started by run.mjs under every runtime, in the folder where the package is installed.
import assert from "node:assert";
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { XMTP } from "xmtp";

const node = process.env.XMTP_NODE;
const key = () => randomBytes(32).toString("hex");
const STRANGER = `0x${"12".repeat(20)}`;
const WAIT_MS = 20000;

const facts = [];
const fact = (what, check) => facts.push({ what, check });

function within(promise, what, ms = WAIT_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// An inbox that keeps what it gets; take() waits for the next message.
class Inbox {
  got = [];
  waiting = [];

  constructor(options, answer) {
    const onMessage = async (message, user) => {
      await answer?.(message, user, this.xmtp);
      const next = this.waiting.shift();
      next ? next({ message, user }) : this.got.push({ message, user });
    };
    this.xmtp = new XMTP(onMessage, { node, ...options });
    this.xmtp.on("error", (error) => this.errors.push(error));
  }

  errors = [];

  take() {
    const first = this.got.shift();
    return first ? Promise.resolve(first) : within(new Promise((resolve) => this.waiting.push(resolve)), "a message");
  }
}

async function open(options, answer) {
  const inbox = new Inbox(options, answer);
  await within(inbox.xmtp.init(), "init");
  return inbox;
}

const closeAll = (...inboxes) => Promise.all(inboxes.map((inbox) => within(inbox.xmtp.close(), "close")));

fact("require and import give the same class", () => {
  assert.equal(createRequire(import.meta.url)("xmtp").XMTP, XMTP);
});

fact("a malformed key is refused by the constructor, and the error does not hold it", () => {
  const order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
  for (const bad of ["", "0x", "12ab", `${key()}0`, "zz".repeat(32), `0X${key()}`, ` ${key()}`, "0".repeat(64), order, 7, {}, Buffer.alloc(32)]) {
    assert.throws(
      () => new XMTP(() => {}, { encryptionKey: bad, node }),
      (error) => error.code === "E_KEY" && (String(bad).length < 8 || !error.message.includes(String(bad))),
    );
  }
});

fact("a key is taken with and without 0x, in either case", () => {
  for (const good of ["ab".repeat(32), "AB".repeat(32), `0x${"aB".repeat(32)}`]) {
    new XMTP(() => {}, { encryptionKey: good, node });
  }
});

fact("a handler that is no function and an unknown option are refused", () => {
  assert.throws(() => new XMTP("hello"), { code: "E_ARGUMENT" });
  assert.throws(() => new XMTP(() => {}, { encryptionkey: key() }), { code: "E_ARGUMENT" });
});

fact("without a key the identity is fresh each time and nothing is written", async () => {
  const a = await open({ encryptionKey: undefined });
  const b = await open({ encryptionKey: null, dbPath: path.join(process.cwd(), "never.db") });
  assert.match(a.xmtp.address, /^0x[0-9a-f]{40}$/);
  assert.match(a.xmtp.inboxId, /^[0-9a-f]{64}$/);
  assert.notEqual(a.xmtp.address, b.xmtp.address);
  await closeAll(a, b);
  assert.ok(!existsSync("never.db"));
  assert.deepEqual(readdirSync(process.env.HOME).filter((name) => name !== ".bun" && name !== ".npm" && name !== ".cache"), []);
});

fact("the same key is the same address after close and a new start, with its database", async () => {
  const encryptionKey = key();
  const dbPath = path.join(process.cwd(), `same-${process.pid}.db`);
  const first = await open({ encryptionKey, dbPath });
  await assert.rejects(within(new XMTP(null, { encryptionKey, dbPath, node }).init(), "init"), { code: "E_LOCKED" });
  await closeAll(first);
  assert.ok(existsSync(dbPath));
  const second = await open({ encryptionKey: `0x${encryptionKey.toUpperCase()}`, dbPath });
  assert.equal(second.xmtp.address, first.xmtp.address);
  assert.equal(second.xmtp.inboxId, first.xmtp.inboxId);
  assert.equal(second.xmtp.installationId, first.xmtp.installationId);
  await closeAll(second);
});

fact("a database does not open under another key, and stays", async () => {
  const dbPath = path.join(process.cwd(), `other-${process.pid}.db`);
  const first = await open({ encryptionKey: key(), dbPath });
  await closeAll(first);
  await assert.rejects(within(new XMTP(null, { encryptionKey: key(), dbPath, node }).init(), "init"), { code: "E_DATABASE_KEY" });
  assert.ok(existsSync(dbPath));
});

fact("init fails with E_NETWORK where no node is, and may be tried again", async () => {
  const xmtp = new XMTP(() => {}, { node: "http://127.0.0.1:9" });
  await assert.rejects(within(xmtp.init(), "init"), { code: "E_NETWORK" });
  await assert.rejects(within(xmtp.init(), "init"), { code: "E_NETWORK" });
  await xmtp.close();
  await assert.rejects(xmtp.init(), { code: "E_CLOSED" });
});

fact("an https node is checked, and its authorities are read from a file", async () => {
  const https = node.replace("http:", "https:"); // a node in clear text
  await assert.rejects(within(new XMTP(null, { node: https }).init(), "init"), { code: "E_TLS", message: /does not speak TLS|TLS handshake/ });
  await assert.rejects(within(new XMTP(null, { node: https, caFile: "no such file.pem" }).init(), "init"), { code: "E_IO", message: /no such file.pem/ });
  await assert.rejects(within(new XMTP(null, { node, caFile: "a.pem" }).init(), "init"), { code: "E_ARGUMENT", message: /nothing is encrypted/ });
  assert.throws(() => new XMTP(null, { caFile: 7 }), { code: "E_ARGUMENT" });
});

fact("init fails with a code when the node's URL or the database's folder is wrong", async () => {
  await assert.rejects(within(new XMTP(null, { node: "ftp://localhost" }).init(), "init"), (error) => /^E_/.test(error.code));
  const dbPath = path.join(process.cwd(), "no such folder", "a.db");
  await assert.rejects(within(new XMTP(null, { encryptionKey: key(), dbPath, node }).init(), "init"), (error) => /^E_/.test(error.code));
  assert.throws(() => new XMTP(null, { node: "" }), { code: "E_ARGUMENT" });
});

fact("send checks its arguments before anything is sent", async () => {
  const { xmtp } = await open();
  const refused = (options, code) => assert.rejects(xmtp.send(options), { code });
  await refused(undefined, "E_ARGUMENT");
  await refused({ message: "nowhere" }, "E_ARGUMENT");
  await refused({ message: "nowhere", receivers: [] }, "E_ARGUMENT");
  await refused({ receivers: STRANGER }, "E_ARGUMENT");
  await refused({ message: 7, receivers: STRANGER }, "E_ARGUMENT");
  await refused({ message: "a\0b", receivers: STRANGER }, "E_ARGUMENT");
  await refused({ message: "a", receivers: "somebody" }, "E_IDENTIFIER");
  await refused({ message: "a", originalMessage: {} }, "E_ARGUMENT");
  await refused({ message: "a", receivers: STRANGER }, "E_NO_INBOX");
  await within(xmtp.close(), "close");
  await refused({ message: "a", receivers: STRANGER }, "E_CLOSED");
  await assert.rejects(new XMTP().send({ message: "a", receivers: STRANGER }), { code: "E_STATE" });
});

fact("a message arrives with all that the README says, by address and by inbox id, any characters", async () => {
  const [a, b] = [await open(), await open({ encryptionKey: key() })];
  const text = "Grüße, 世界 👋 \"quoted\"\nsecond line";
  const before = Date.now();
  const [sent] = await within(a.xmtp.send({ message: text, receivers: b.xmtp.address.toUpperCase().replace("0X", "0x") }), "send");
  const { message, user } = await b.take();
  assert.equal(message.content.text, text);
  assert.equal(message.id, sent.id);
  assert.ok(message.sent instanceof Date && Math.abs(message.sent - before) < 60000);
  assert.equal(message.conversation.kind, "dm");
  assert.equal(String(message.conversation), sent.conversation);
  assert.equal(message.contentType, "xmtp.org/text:1.0");
  assert.equal(user.address, a.xmtp.address);
  assert.equal(user.inboxId, a.xmtp.inboxId);
  await a.xmtp.send({ message: "again", receivers: [b.xmtp.inboxId] });
  assert.equal((await b.take()).message.content.text, "again");
  await closeAll(a, b);
});

fact("one send reaches every receiver, and tells which one it did not", async () => {
  const inboxes = [await open(), await open(), await open()];
  const [a, b, c] = inboxes;
  const sent = await within(a.xmtp.send({ message: "to both", receivers: [b.xmtp.address, c.xmtp.address] }), "send");
  assert.equal(sent.length, 2);
  assert.equal((await b.take()).message.content.text, "to both");
  assert.equal((await c.take()).message.content.text, "to both");
  await assert.rejects(a.xmtp.send({ message: "to one", receivers: [STRANGER, b.xmtp.address] }), (error) => {
    assert.equal(error.code, "E_NO_INBOX");
    assert.equal(error.receiver, STRANGER);
    assert.equal(error.sent.length, 1);
    assert.equal(error.failed.length, 1);
    return true;
  });
  assert.equal((await b.take()).message.content.text, "to one");
  await closeAll(...inboxes);
});

fact("a handler answers in the conversation and to receivers; an older message is answered at once", async () => {
  const [a, c] = [await open(), await open()];
  const b = await open({}, async (message, user, xmtp) => {
    const sent = await xmtp.send({ message: `${message.content.text}!`, originalMessage: message, receivers: c.xmtp.address });
    assert.ok(sent.every((one) => one.noted && one.id === undefined));
  });
  await a.xmtp.send({ message: "hey", receivers: b.xmtp.address });
  const answer = await a.take();
  assert.equal(answer.message.content.text, "hey!");
  assert.equal(answer.user.inboxId, b.xmtp.inboxId);
  assert.equal((await c.take()).message.content.text, "hey!");
  const { message } = await b.take();
  const [sent] = await b.xmtp.send({ message: "later", originalMessage: JSON.parse(JSON.stringify(message)) });
  assert.equal(sent.noted, false);
  assert.equal((await a.take()).message.id, sent.id);
  await closeAll(a, b, c);
});

fact("a handler that throws gets the message again; only the answer of the good attempt is sent", async () => {
  let attempts = 0;
  const a = await open();
  const b = await open({ retryMs: 10 }, async (message, user, xmtp) => {
    attempts++;
    await xmtp.send({ message: `attempt ${attempts}`, originalMessage: message });
    if (attempts < 3) {
      throw new Error("not yet");
    }
  });
  await a.xmtp.send({ message: "try", receivers: b.xmtp.address });
  assert.equal((await a.take()).message.content.text, "attempt 3");
  assert.deepEqual(b.errors.map((error) => error.message), ["not yet", "not yet"]);
  assert.equal(a.got.length, 0);
  await closeAll(a, b);
});

fact("a message that fails for good is set aside, and the next one goes on", async () => {
  const a = await open();
  const b = await open({ attempts: 2, retryMs: 10 }, (message) => {
    if (message.content.text === "poison") {
      throw new Error("cannot");
    }
  });
  const aside = within(new Promise((resolve) => b.xmtp.on("setAside", (...all) => resolve(all))), "setAside");
  await a.xmtp.send({ message: "poison", receivers: b.xmtp.address });
  await a.xmtp.send({ message: "good", receivers: b.xmtp.address });
  const [message, user, reason] = await aside;
  assert.equal(message.content.text, "poison");
  assert.equal(user.address, a.xmtp.address);
  assert.equal(reason, "cannot");
  assert.equal((await b.take()).message.content.text, "good");
  await closeAll(a, b);
});

fact("a message that was not handled when the object closed comes after the next start, once", async () => {
  const dbPath = path.join(process.cwd(), `again-${process.pid}.db`);
  const encryptionKey = key();
  const a = await open();
  let begun;
  const hasBegun = within(new Promise((resolve) => (begun = resolve)), "the handler");
  const b = await open({ encryptionKey, dbPath, closeTimeoutMs: 50 }, async (message, user, xmtp) => {
    await xmtp.send({ message: "lost", originalMessage: message });
    begun();
    await new Promise(() => {});
  });
  await a.xmtp.send({ message: "keep me", receivers: b.xmtp.address });
  await hasBegun;
  await closeAll(b);
  const c = await open({ encryptionKey, dbPath }, (message, user, xmtp) => xmtp.send({ message: "kept", originalMessage: message }));
  assert.equal((await c.take()).message.content.text, "keep me");
  assert.equal((await a.take()).message.content.text, "kept");
  await closeAll(c);
  const d = await open({ encryptionKey, dbPath });
  await a.xmtp.send({ message: "end", receivers: d.xmtp.address });
  assert.equal((await d.take()).message.content.text, "end");
  assert.equal(a.got.length, 0);
  await closeAll(a, d);
});

fact("on('message') handles too, and messages wait until there is a handler", async () => {
  const a = await open();
  const b = new XMTP(undefined, { node });
  await within(b.init(), "init");
  await a.xmtp.send({ message: "early", receivers: b.address });
  await new Promise((resolve) => setTimeout(resolve, 300));
  const got = within(new Promise((resolve) => b.on("message", (message) => resolve(message.content.text))), "a message");
  assert.equal(await got, "early");
  await b.close();
  await closeAll(a);
});

fact("close inside a handler sends its answer and ends", async () => {
  const a = await open();
  const b = new XMTP(
    async (message) => {
      await b.send({ message: "bye", originalMessage: message });
      await b.close();
    },
    { node },
  );
  const closed = within(new Promise((resolve) => b.on("close", resolve)), "close");
  await b.init();
  await a.xmtp.send({ message: "stop", receivers: b.address });
  assert.equal((await a.take()).message.content.text, "bye");
  await closed;
  await closeAll(a);
});

fact("close rejects what was not sent, and may be called again", async () => {
  const [a, b] = [await open(), await open()];
  const sends = Array.from({ length: 50 }, (_, i) => a.xmtp.send({ message: `${i}`, receivers: b.xmtp.address }));
  const outcomes = Promise.allSettled(sends);
  await closeAll(a, a);
  for (const outcome of await within(outcomes, "the sends")) {
    assert.ok(outcome.status === "fulfilled" || outcome.reason.code === "E_CLOSED", outcome.reason?.message);
  }
  await closeAll(b);
});

const only = process.argv[2];
for (const { what, check } of facts.filter((one) => only === undefined || one.what.includes(only))) {
  try {
    await within(Promise.resolve(check()), "the whole check", 60000);
    console.log(`ok ${what}`);
  } catch (error) {
    console.log(`not ok ${what}`);
    console.log(String(error.stack ?? error).replace(/^/gm, "  "));
    if (error.errors) console.log(error.errors);
  }
}
console.log("end");
