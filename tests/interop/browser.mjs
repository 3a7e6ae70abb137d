// browser.mjs - the official browser SDK in a headless Chromium: bundles a page for one line of the SDK, serves it with the
// headers that isolate it, and hands out peers. Everything of the SDK runs in the browser; only wallets are here.
import { createUser } from "@xmtp/agent-sdk/user";
import { build } from "esbuild";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import path from "node:path";
import { chromium } from "playwright-core";
import { Skip } from "./check.mjs";

const home = import.meta.dirname;
const types = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm" };
const flags = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
];

function findChromium() {
    try {
        return execFileSync("sh", ["-c", "command -v chromium"], { encoding: "utf8" }).trim();
    } catch {
        throw new Skip("there is no chromium");
    }
}

// The SDK starts its workers from files beside its bundle, and each loads the wasm beside itself.
async function bundle(sdk, folder) {
    const dist = path.join(home, "node_modules", sdk, "dist");
    const own = path.join(home, "node_modules", sdk, "node_modules");
    const nodePaths = [own, path.join(home, "node_modules")];
    const wasm = nodePaths.map((p) => path.join(p, "@xmtp/wasm-bindings/dist/bindings_wasm_bg.wasm")).find((p) => {
        try {
            return readFileSync(p).length > 0;
        } catch {
            return false;
        }
    });
    const workers = readdirSync(path.join(dist, "workers")).filter((name) => name.endsWith(".js"));
    const options = { bundle: true, format: "esm", target: "es2022", logLevel: "error", nodePaths };
    await build({ ...options, entryPoints: [path.join(home, "page.mjs")], alias: { sdk }, outfile: path.join(folder, "page.js") });
    await build({ ...options, entryPoints: workers.map((name) => path.join(dist, "workers", name)), outdir: path.join(folder, "workers") });
    copyFileSync(wasm, path.join(folder, "bindings_wasm_bg.wasm"));
    copyFileSync(wasm, path.join(folder, "workers/bindings_wasm_bg.wasm"));
}

function serve(folder) {
    const server = createServer((request, response) => {
        const name = new URL(request.url, "http://x").pathname;
        const file = name === "/" ? undefined : path.join(folder, path.normalize(path.extname(name) ? name : `${name}.js`));
        const head = {
            "content-type": types[file ? path.extname(file) : ".html"] ?? "application/octet-stream",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-embedder-policy": "require-corp",
            "cross-origin-resource-policy": "same-origin",
        };
        try {
            const body = file ? readFileSync(file) : '<!doctype html><script type="module" src="/page.js"></script>';
            response.writeHead(200, head).end(body);
        } catch {
            response.writeHead(404).end();
        }
    });
    return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

// A page with one line of the SDK; apiUrl is where its clients find the node.
export class Page {
    static async open({ sdk, apiUrl, folder, after }) {
        const executablePath = findChromium();
        mkdirSync(folder, { recursive: true });
        await bundle(sdk, folder);
        const server = await serve(folder);
        after(() => server.close());
        const browser = await chromium.launch({ executablePath, args: flags });
        after(() => browser.close());
        const page = new Page(await browser.newPage(), apiUrl);
        await page.load(`http://localhost:${server.address().port}/`);
        return page;
    }

    constructor(page, apiUrl) {
        this.page = page;
        this.apiUrl = apiUrl;
        this.wallets = new Map();
        this.errors = [];
    }

    async load(url) {
        this.page.on("pageerror", (error) => this.errors.push(String(error)));
        this.page.on("requestfailed", (request) => {
            // The SDK itself stops reading: streams when they end, gRPC-web answers at their trailers.
            if (request.failure()?.errorText !== "net::ERR_ABORTED") {
                this.errors.push(`${request.method()} ${request.url()}: ${request.failure()?.errorText}`);
            }
        });
        await this.page.exposeFunction("signWith", (name, text) => this.wallets.get(name).account.signMessage({ message: text }));
        await this.page.goto(url);
        await this.page.waitForFunction(() => window.isReady && window.crossOriginIsolated);
    }

    call(method, ...rest) {
        return this.page.evaluate(([m, args]) => window.xmtp[m](...args), [method, rest]);
    }

    async create(name) {
        const wallet = createUser();
        const address = wallet.account.address.toLowerCase();
        this.wallets.set(name, wallet);
        const inboxId = await this.call("create", name, address, this.apiUrl);
        return { name, address, inboxId };
    }
}
