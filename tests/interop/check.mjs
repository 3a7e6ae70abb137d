// check.mjs - waiting, comparing, and the list of scenarios.
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";

const show = (value) => {
    const text = JSON.stringify(value, (_, v) => (typeof v === "bigint" ? String(v) : v));
    return text?.length > 1500 ? `${text.slice(0, 1500)}...` : text;
};

// Of two long lists only the part around the first difference is worth printing.
function difference(actual, expected) {
    const at = actual.findIndex((value, i) => !isDeepStrictEqual(value, expected[i]));
    const first = at === -1 ? actual.length : at;
    const part = (list) => show(list.slice(first, first + 3));
    return `${actual.length} and ${expected.length} entries, from entry ${first} on: got ${part(actual)}, expected ${part(expected)}`;
}

export function same(what, actual, expected) {
    if (!isDeepStrictEqual(actual, expected)) {
        if (Array.isArray(actual) && Array.isArray(expected) && actual.length + expected.length > 12) {
            throw new Error(`${what}: ${difference(actual, expected)}`);
        }
        throw new Error(`${what}: got ${show(actual)}, expected ${show(expected)}`);
    }
}

export function holds(what, fact, detail) {
    if (!fact) {
        throw new Error(detail === undefined ? what : `${what}: ${show(detail)}`);
    }
}

// Tries until the function gives something, or the time is over; then says what the last try gave.
export async function until(what, attempt, limitMs = 15000) {
    const end = Date.now() + limitMs;
    let last;
    while (Date.now() < end) {
        try {
            last = await attempt();
            if (last) {
                return last;
            }
        } catch (error) {
            last = error;
        }
        await sleep(100);
    }
    throw new Error(`${what}: not within ${limitMs} ms${last instanceof Error ? ` (${last.message})` : ""}`);
}

export const numbered = (prefix, count) => Array.from({ length: count }, (_, i) => `${prefix} ${i + 1}`);

// Thrown by a scenario that cannot run here.
export class Skip extends Error {}

const scenarios = [];

export function scenario(name, run) {
    scenarios.push({ name, run });
}

// Runs them in order; one that throws fails, the others still run.
export async function runScenarios(names, context, limitMs = 120000) {
    const tally = { passed: 0, failed: 0, skipped: 0 };
    const chosen = names.length ? scenarios.filter((s) => names.some((n) => s.name.includes(n))) : scenarios;
    for (const { name, run } of chosen) {
        const started = Date.now();
        const cleanups = [];
        let failure;
        const limit = new AbortController();
        try {
            await Promise.race([
                run({ ...context, after: (f) => cleanups.push(f) }),
                sleep(limitMs, undefined, { signal: limit.signal }).then(() => {
                    throw new Error(`not finished within ${limitMs / 1000} s`);
                }),
            ]);
        } catch (error) {
            failure = error;
        }
        limit.abort();
        for (const cleanup of cleanups.reverse()) {
            await Promise.resolve(cleanup()).catch((error) => console.error(`  after ${name}: ${error.message}`));
        }
        if (failure instanceof Skip) {
            console.log(`skip  ${name}: ${failure.message}`);
            tally.skipped++;
            continue;
        }
        const seconds = ((Date.now() - started) / 1000).toFixed(1);
        console.log(`${failure ? "FAIL" : "pass"}  ${name} (${seconds} s)`);
        if (failure) {
            console.log(`      ${failure.stack ?? failure}`.replaceAll("\n", "\n      "));
            tally.failed++;
        } else {
            tally.passed++;
        }
    }
    if (!chosen.length) {
        console.log(`no scenario matches ${names.join(" ")}; there are:\n  ${scenarios.map((s) => s.name).join("\n  ")}`);
        tally.failed++;
    }
    return tally;
}
