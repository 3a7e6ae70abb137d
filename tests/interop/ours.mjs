// ours.mjs - our `xmtp` executable as a node and as a peer, driven the way a script would: by its command line.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import readline from "node:readline";
import { until } from "./check.mjs";
import { nodeUrl } from "./official.mjs";

const lines = (text) => text.split("\n").filter(Boolean).map((line) => JSON.parse(line));

const ended = (child) =>
    child.exitCode !== null || child.signalCode !== null
        ? Promise.resolve()
        : new Promise((resolve) => child.once("exit", resolve));

// A long-running process of ours; stopping it is by its own process id.
class Process {
    constructor(program, args, options = {}) {
        this.errors = "";
        this.child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
        this.child.stderr.on("data", (data) => (this.errors = (this.errors + data).slice(-4000)));
    }

    alive() {
        return this.child.exitCode === null && this.child.signalCode === null;
    }

    async stop(signal = "SIGTERM") {
        if (this.alive()) {
            this.child.kill(signal);
        }
        const hard = setTimeout(() => this.child.kill("SIGKILL"), 5000);
        await ended(this.child);
        clearTimeout(hard);
    }
}

const answers = (port) =>
    new Promise((resolve) => {
        const socket = net.connect(port, "127.0.0.1");
        socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
        socket.once("connect", () => socket.end());
    });

export class OurNode {
    static async start(program, folder, settings = []) {
        const node = new OurNode(program, folder, settings);
        if (await answers(5556)) {
            throw new Error("port 5556 is taken by another process");
        }
        await node.start();
        return node;
    }

    constructor(program, folder, settings) {
        this.program = program;
        this.folder = folder;
        this.settings = settings;
    }

    async start() {
        this.process = new Process(this.program, ["node", "--data", this.folder, ...this.settings]);
        this.process.child.stdout.resume();
        await until("our node listens on 5556", async () => {
            if (!this.process.alive()) {
                throw new Error(`it ended: ${this.process.errors}`);
            }
            return answers(5556);
        });
    }

    stop(signal) {
        return this.process.stop(signal);
    }

    // What the history server keeps.
    historyFiles() {
        return readdirSync(path.join(this.folder, "history")).length;
    }
}

// One of our inboxes: a key file and a database folder, and the commands over them.
export class Ours {
    // key: hex of a wallet; extra: options of every command.
    constructor(program, folder, name, key = `0x${randomBytes(32).toString("hex")}`, extra = []) {
        this.program = program;
        this.key = key;
        this.name = name;
        this.extra = extra;
        this.folder = path.join(folder, name);
        this.keyFile = path.join(this.folder, "key");
        mkdirSync(this.folder, { recursive: true });
        writeFileSync(this.keyFile, `${key}\n`, { mode: 0o600 });
    }

    get options() {
        return ["--node", nodeUrl, "--key-file", this.keyFile, "--data", path.join(this.folder, "data"), "--json", ...this.extra];
    }

    // Runs one command to its end and gives its JSON lines.
    async run(...args) {
        const process = new Process(this.program, [...args, ...this.options]);
        let out = "";
        process.child.stdout.on("data", (data) => (out += data));
        const hard = setTimeout(() => process.child.kill("SIGKILL"), 30000);
        await new Promise((resolve) => process.child.once("close", resolve));
        clearTimeout(hard);
        if (process.child.exitCode !== 0) {
            const end = process.child.exitCode ?? process.child.signalCode;
            throw new Error(`${this.name}: xmtp ${args.join(" ")} ended with ${end}: ${process.errors.trim()}`);
        }
        return lines(out);
    }

    // Learns (and registers, the first time) who this is.
    async register() {
        const [me] = await this.run("whoami");
        this.address = me.address.toLowerCase();
        this.inboxId = me.inbox;
        return this;
    }

    send(to, text) {
        return this.run("send", to, text).then((sent) => sent[0]);
    }

    inbox() {
        return this.run("inbox");
    }

    group(action, ...args) {
        return this.run("group", action, ...args);
    }

    async view(id) {
        const messages = (await this.inbox()).filter((m) => m.conversation === id);
        const [group] = await this.group("members", id);
        return {
            epoch: group.epoch,
            name: group.name,
            active: group.active,
            members: group.members.map((m) => m.inbox).sort(),
            messages: messages.filter((m) => m.kind === "application"),
            changes: messages.filter((m) => m.kind !== "application"),
        };
    }

    // Starts `xmtp agent` (or `inbox --follow`) and gives it once it says that it is ready.
    async start(...args) {
        const process = new Process(this.program, [...args, ...this.options]);
        process.lines = [];
        readline.createInterface({ input: process.child.stdout }).on("line", (line) => process.lines.push(JSON.parse(line)));
        await until(`${this.name}: xmtp ${args[0]} is ready`, () => {
            if (!process.alive()) {
                throw new Error(`it ended: ${process.errors}`);
            }
            return process.lines.some((line) => line.ready);
        });
        return process;
    }
}
