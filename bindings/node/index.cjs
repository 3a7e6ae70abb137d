// index.cjs - class XMTP: an agent as a JavaScript object.
//
// The agent itself (keys, encryption, network, database) runs on a thread of its own in the native
// file. Here is what is about JavaScript: checking arguments, calling handlers, promises, events.
//
// Every message is handled exactly once: native "message" --> handlers --> done or fail. Answers that
// handlers give to the message they are called with are kept by the agent and sent together with done.
"use strict";

const { AsyncLocalStorage } = require("node:async_hooks");
const { EventEmitter } = require("node:events");
const path = require("node:path");

const CLOSE_TIMEOUT_MS = 5000;
const EXIT_WAIT_MS = 2000;
const UINT32_MAX = 0xffffffff;
const TEXT_BYTES_MAX = 20 * 1024 * 1024;
// The order of secp256k1: private keys are 1 ... order - 1.
const KEY_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

const native = loadNative();

function loadNative() {
  const platform = `${process.platform}-${process.arch}`;
  const file = path.join(__dirname, "prebuilds", platform, "xmtp.node");
  try {
    return require(file);
  } catch (cause) {
    const text =
      platform === "linux-x64" || platform === "linux-arm64"
        ? `xmtp: ${file} cannot be loaded; it needs glibc 2.36 or newer (${cause.message})`
        : `xmtp: there is no native file for ${platform}; the package runs on Linux`;
    throw failure("E_UNSUPPORTED", text, { cause });
  }
}

function failure(code, text, more) {
  return Object.assign(new Error(text), { code }, more);
}

function argument(text) {
  return failure("E_ARGUMENT", text);
}

// ---- checks ------------------------------------------------------------------------------------

// The key without 0x, or undefined for an identity that lives in memory. Its digits are in no error.
function checkKey(key) {
  if (key === undefined || key === null) {
    return undefined;
  }
  const digits = typeof key === "string" && /^(?:0x)?([0-9a-fA-F]{64})$/.exec(key)?.[1];
  if (!digits) {
    const given = typeof key === "string" ? `a string of ${key.length} characters` : typeof key;
    throw failure("E_KEY", `encryptionKey must be 64 hex digits, with or without 0x, but is ${given}`);
  }
  const number = BigInt(`0x${digits}`);
  if (number === 0n || number >= KEY_ORDER) {
    throw failure("E_KEY", "encryptionKey is not a private key: out of range");
  }
  return digits;
}

function checkString(value, name) {
  if (value === undefined || value === null) {
    return undefined;
  }
  if (typeof value !== "string" || value === "" || value.includes("\0")) {
    throw argument(`${name} must be a string that is not empty`);
  }
  return value;
}

function checkCount(value, name, min) {
  if (value === undefined || value === null) {
    return undefined;
  }
  if (!Number.isInteger(value) || value < min || value > UINT32_MAX) {
    throw argument(`${name} must be a whole number from ${min} to ${UINT32_MAX}`);
  }
  return value;
}

const KNOWN_OPTIONS = new Set([
  "encryptionKey",
  "node",
  "caFile",
  "dbPath",
  "appVersion",
  "attempts",
  "retryMs",
  "retryMaxMs",
  "concurrency",
  "closeTimeoutMs",
]);

function checkOptions(options) {
  if (options === undefined || options === null) {
    options = {};
  }
  if (typeof options !== "object") {
    throw argument("options must be an object");
  }
  for (const name of Object.keys(options)) {
    if (!KNOWN_OPTIONS.has(name)) {
      throw argument(`there is no option '${name}'; there are ${[...KNOWN_OPTIONS].join(", ")}`);
    }
  }
  return {
    encryptionKey: checkKey(options.encryptionKey),
    node: checkString(options.node, "node"),
    caFile: checkString(options.caFile, "caFile"),
    dbPath: checkString(options.dbPath, "dbPath"),
    appVersion: checkString(options.appVersion, "appVersion") ?? `xmtp-js/${native.version}`,
    attempts: checkCount(options.attempts, "attempts", 1),
    retryMs: checkCount(options.retryMs, "retryMs", 1),
    retryMaxMs: checkCount(options.retryMaxMs, "retryMaxMs", 1),
    concurrency: checkCount(options.concurrency, "concurrency", 1),
    closeTimeoutMs: checkCount(options.closeTimeoutMs, "closeTimeoutMs", 0) ?? CLOSE_TIMEOUT_MS,
  };
}

function checkText(text) {
  if (typeof text !== "string") {
    throw argument("message must be a string");
  }
  if (text.includes("\0")) {
    throw argument("message holds the character U+0000, which a text may not");
  }
  if (Buffer.byteLength(text) > TEXT_BYTES_MAX) {
    throw failure("E_LIMIT", `message is longer than ${TEXT_BYTES_MAX} bytes`);
  }
  return text;
}

function checkReceivers(receivers) {
  if (receivers === undefined || receivers === null) {
    return [];
  }
  const list = Array.isArray(receivers) ? receivers : [receivers];
  const seen = new Set();
  for (const receiver of list) {
    if (typeof receiver !== "string" || !/^(0x[0-9a-fA-F]{40}|[0-9a-fA-F]{64})$/.test(receiver)) {
      throw failure("E_IDENTIFIER", `receiver ${JSON.stringify(receiver)} is no address (0x and 40 hex digits) and no inbox id (64 hex digits)`);
    }
    seen.add(receiver.toLowerCase());
  }
  return [...seen];
}

// A message is known by its id and its conversation; one that was stored as JSON will do.
function checkOriginal(message) {
  if (message === undefined || message === null) {
    return undefined;
  }
  const id = message.id;
  const conversation = message.conversation?.id ?? message.conversation;
  if (typeof id !== "string" || !/^[0-9a-f]{64}$/.test(id)) {
    throw argument("originalMessage has no id: it must be a message that a handler was called with");
  }
  if (typeof conversation !== "string" || !/^(?:[0-9a-f]{2}){1,32}$/.test(conversation)) {
    throw argument("originalMessage has no conversation: it must be a message that a handler was called with");
  }
  return { id, conversation };
}

// ---- what handlers are called with --------------------------------------------------------------

class Conversation {
  constructor(id, kind) {
    this.id = id;
    this.kind = kind;
  }

  toString() {
    return this.id;
  }
}

class Message {
  constructor(raw) {
    this.id = raw.id;
    this.content = { text: raw.text };
    if (raw.reference !== undefined) {
      this.content.reference = raw.reference;
    }
    this.contentType = raw.contentType;
    this.fallback = raw.fallback;
    this.sent = new Date(Number(raw.sentNs / 1000000n));
    this.conversation = new Conversation(raw.conversation, raw.kind);
    Object.defineProperty(this, "sentNs", { value: raw.sentNs }); // JSON has no bigint
  }
}

class User {
  constructor(raw) {
    this.address = raw.address;
    this.inboxId = raw.inboxId;
  }
}

// ---- the end of the process ---------------------------------------------------------------------

// The agent's threads must have ended before the C library takes down what they use.
const running = new Set();

function endAll() {
  for (const handle of running) {
    native.close(handle);
  }
  for (const handle of running) {
    native.wait(handle, EXIT_WAIT_MS);
  }
}

function keepForExit(handle) {
  if (running.size === 0) {
    process.on("exit", endAll);
  }
  running.add(handle);
}

function forgetForExit(handle) {
  running.delete(handle);
  if (running.size === 0) {
    process.removeListener("exit", endAll);
  }
}

// ---- the class ----------------------------------------------------------------------------------

// Which message's handler the running code belongs to.
const inHandler = new AsyncLocalStorage();

class XMTP extends EventEmitter {
  #settings;
  #onMessage;
  #handle; // of the native agent, from init to the end
  #identity; // after init
  #opening; // promise of init
  #closing; // promise of close
  #opened = deferred();
  #ended = deferred();
  #handlings = new Map(); // message id --> promise of its handlers
  #held = []; // messages that came before there was a handler
  #requests = new Map(); // number --> promise of a send
  #requestCount = 0;

  constructor(onMessage, options) {
    super();
    if (onMessage !== undefined && onMessage !== null && typeof onMessage !== "function") {
      throw argument("onMessage must be a function");
    }
    this.#onMessage = onMessage ?? undefined;
    this.#settings = checkOptions(options);
    this.on("newListener", (name) => {
      if (name === "message") {
        queueMicrotask(() => this.#offerHeld());
      }
    });
  }

  get address() {
    return this.#identity?.address;
  }

  get inboxId() {
    return this.#identity?.inboxId;
  }

  get installationId() {
    return this.#identity?.installationId;
  }

  // ---- open and close

  init() {
    if (this.#closing !== undefined) {
      return Promise.reject(failure("E_CLOSED", "this XMTP object was closed"));
    }
    this.#opening ??= this.#open();
    return this.#opening;
  }

  async #open() {
    const opened = (this.#opened = deferred());
    this.#ended = deferred();
    // Without a key there is nothing to keep: a database in memory, whatever path was given.
    const { encryptionKey, dbPath } = this.#settings;
    const settings = { ...this.#settings, dbPath: encryptionKey === undefined ? undefined : dbPath };
    this.#handle = native.open(settings, (kind, payload) => this.#tell(kind, payload));
    keepForExit(this.#handle);
    try {
      await opened.promise;
    } catch (error) {
      this.#opening = undefined; // may be tried again
      throw error;
    }
    this.#settings.encryptionKey = undefined;
    return this;
  }

  close() {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  async #shutDown() {
    const own = inHandler.getStore();
    if (own?.xmtp === this) {
      this.#end(own.id); // a handler that closes has done its work
    }
    await settledWithin([...this.#handlings.values()], this.#settings.closeTimeoutMs);
    if (this.#handle !== undefined) {
      native.close(this.#handle);
      await this.#ended.promise;
    }
  }

  #closed(error) {
    forgetForExit(this.#handle);
    this.#handle = undefined;
    const why = error === null ? failure("E_CLOSED", "this XMTP object was closed") : failure(error.code, error.message);
    const isFirst = this.#identity === undefined;
    this.#opened.reject(why); // has no effect after it was opened
    for (const request of this.#requests.values()) {
      request.reject(why);
    }
    this.#requests.clear();
    this.#ended.resolve();
    if (isFirst) {
      return;
    }
    this.#closing ??= Promise.resolve();
    if (error !== null) {
      this.#report(why);
    }
    this.emit("close");
  }

  // An error that belongs to no call. Unheard it ends the program, as with every EventEmitter.
  #report(error) {
    process.nextTick(() => this.emit("error", error));
  }

  // ---- what the native agent tells

  #tell(kind, payload) {
    switch (kind) {
      case "open":
        this.#identity = payload;
        return this.#opened.resolve();
      case "message":
        return this.#offer(new Message(payload), new User(payload));
      case "sent":
        return this.#sent(payload);
      case "setAside":
        return this.#setAside(new Message(payload), new User(payload), payload.reason);
      case "connection":
        return this.emit("connection", payload === null, payload === null ? undefined : failure(payload.code, payload.message));
      case "trouble":
        return this.#report(failure(payload.code, payload.message));
      case "closed":
        return this.#closed(payload);
    }
  }

  // ---- messages

  #handlers() {
    const listeners = this.rawListeners("message");
    return this.#onMessage === undefined ? listeners : [this.#onMessage, ...listeners];
  }

  #offer(message, user) {
    if (this.#closing !== undefined) {
      return; // stays unhandled, comes again after the next start
    }
    if (this.#handlers().length === 0) {
      this.#held.push([message, user]);
      return;
    }
    this.#handlings.set(message.id, this.#handleMessage(message, user));
  }

  #offerHeld() {
    for (const [message, user] of this.#held.splice(0)) {
      this.#offer(message, user);
    }
  }

  // Never rejects.
  async #handleMessage(message, user) {
    try {
      // The first handler starts when this message is known as being handled.
      await Promise.resolve();
      await inHandler.run({ xmtp: this, id: message.id }, () => this.#callHandlers(message, user));
      this.#end(message.id);
    } catch (error) {
      this.#fail(message, error);
    }
  }

  async #callHandlers(message, user) {
    for (const handler of this.#handlers()) {
      await handler.call(this, message, user);
    }
  }

  // After the handlers, or when one of them closes. The second call has no effect.
  #end(id) {
    if (this.#handlings.delete(id) && this.#handle !== undefined) {
      const error = native.done(this.#handle, id);
      if (error !== null && error.code !== "E_CLOSED") {
        this.#report(failure(error.code, error.message));
      }
    }
  }

  #fail(message, error) {
    const text = error instanceof Error ? error.message : String(error);
    if (this.#handlings.delete(message.id) && this.#handle !== undefined) {
      native.fail(this.#handle, message.id, text);
    }
    if (this.listenerCount("error") > 0) {
      this.#report(error instanceof Error ? error : new Error(text));
    } else {
      console.error(`xmtp: the handler failed for message ${message.id}, which will be offered again:`, error);
    }
  }

  #setAside(message, user, reason) {
    if (!this.emit("setAside", message, user, reason)) {
      console.error(`xmtp: message ${message.id} was set aside after its last attempt: ${reason}`);
    }
  }

  // ---- sending

  async send(options) {
    if (options === undefined || options === null || typeof options !== "object") {
      throw argument("send takes { message, originalMessage, receivers }");
    }
    const text = checkText(options.message);
    const original = checkOriginal(options.originalMessage);
    const receivers = checkReceivers(options.receivers);
    if (original === undefined && receivers.length === 0) {
      throw argument("send needs originalMessage, receivers or both");
    }
    if (this.#handle === undefined || this.#identity === undefined) {
      throw this.#closing === undefined
        ? failure("E_STATE", "call init() and wait for it before send()")
        : failure("E_CLOSED", "this XMTP object was closed");
    }
    const sends = original === undefined ? [] : [this.#order(text, original, undefined)];
    sends.push(...receivers.map((receiver) => this.#order(text, original, receiver)));
    return allSent(await Promise.allSettled(sends));
  }

  // Everything up to the native call happens at once, so that texts go in the order of the calls.
  #order(text, original, receiver) {
    const noted = original !== undefined && this.#handlings.has(original.id);
    const request = this.#requestCount;
    this.#requestCount = (request + 1) % UINT32_MAX;
    const error = native.send(this.#handle, request, noted, original?.id, original?.conversation, receiver, text);
    const result = deferred();
    result.receiver = receiver;
    result.noted = noted;
    if (error !== null) {
      result.reject(failure(error.code, error.message, { receiver }));
    } else {
      this.#requests.set(request, result);
    }
    return result.promise;
  }

  #sent({ request, error, kept, id, conversation }) {
    const result = this.#requests.get(request);
    if (result === undefined) {
      return;
    }
    this.#requests.delete(request);
    const { receiver, noted } = result;
    if (error !== null) {
      result.reject(failure(error.code, error.message, { receiver, kept }));
    } else {
      result.resolve({ id, conversation, receiver, noted });
    }
  }
}

// All went well: the results. Otherwise the first failure, which also tells how the others went.
function allSent(outcomes) {
  const sent = outcomes.filter((o) => o.status === "fulfilled").map((o) => o.value);
  const failed = outcomes.filter((o) => o.status === "rejected").map((o) => o.reason);
  if (failed.length === 0) {
    return sent;
  }
  const error = failure(failed[0].code, failed[0].message, { receiver: failed[0].receiver, kept: failed[0].kept === true });
  throw Object.assign(error, { sent, failed });
}

function deferred() {
  const d = {};
  d.promise = new Promise((resolve, reject) => {
    d.resolve = resolve;
    d.reject = reject;
  });
  d.promise.catch(() => {}); // who waits for it hears of it; nobody else needs to
  return d;
}

async function settledWithin(promises, ms) {
  if (promises.length === 0) {
    return;
  }
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([Promise.allSettled(promises), late]);
  clearTimeout(timer);
}

module.exports = { XMTP };
