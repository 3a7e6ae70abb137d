// race-scenarios.mjs - the official client and ours commit to one group at the same moment: one wins, the other makes
// its commit again, and nobody forks. `./dev interop races [rounds]` runs as many rounds as are asked for.
import { setTimeout as sleep } from "node:timers/promises";
import { holds, same, scenario } from "./check.mjs";
import { officials, ours } from "./people.mjs";

// What one side does in a round; the two sides never want opposite things, so both have to succeed.
const operations = {
    name: {
        ours: (r) => r.us.group("set", r.id, "name", `ours ${r.round}`),
        official: (r) => r.atAnn.updateName(`ann ${r.round}`),
    },
    description: {
        ours: (r) => r.us.group("set", r.id, "description", `ours ${r.round}`),
        official: (r) => r.atAnn.updateDescription(`ann ${r.round}`),
    },
    // Each side brings in and sends away somebody of its own.
    member: {
        ours: (r) => r.us.group(r.toggle("cid") ? "add" : "remove", r.id, r.people.cid.address),
        official: (r) => (r.toggle("dee") ? r.ann.addTo(r.atAnn, r.people.dee.address) : r.ann.removeFrom(r.atAnn, r.people.dee.address)),
    },
    admin: {
        ours: (r) => r.us.group("admin", r.id, r.toggle("eve") ? "add" : "remove", r.people.eve.inboxId),
        official: (r) => (r.toggle("bob") ? r.atAnn.addAdmin(r.bob.inboxId) : r.atAnn.removeAdmin(r.bob.inboxId)),
    },
};
const kinds = Object.keys(operations);

async function stateAtOfficial(group) {
    await group.sync();
    const debug = await group.debugInfo();
    same("the official client believes in a fork", debug.maybeForked, false);
    return {
        epoch: Number(debug.epoch),
        name: group.name,
        description: group.description,
        members: (await group.members()).map((m) => m.inboxId).sort(),
        admins: [...(await group.listAdmins())].sort(),
        super_admins: [...(await group.listSuperAdmins())].sort(),
    };
}

async function stateAtOurs(us, id) {
    const [shown] = await us.group("show", id);
    const [group] = await us.group("members", id);
    return {
        epoch: group.epoch,
        name: shown.name,
        description: shown.description,
        members: group.members.map((m) => m.inbox).sort(),
        admins: shown.admins.sort(),
        super_admins: shown.super_admins.sort(),
    };
}

// How many commits of the group came too late, and had to be made again: by the network's order, as ours saw it.
async function lateCommits(us, id, after) {
    const [debug] = await us.group("debug", id);
    same("ours believes in a fork", [debug.maybe_forked, debug.commit_log_forked === "yes"], [false, false]);
    return debug.local_commit_log.filter((c) => BigInt(c.sequence) > after && c.result !== "applied").map((c) => BigInt(c.sequence));
}

async function begin(context) {
    const [ann, bob, cid, dee, eve] = await officials(context.after, "ann", "bob", "cid", "dee", "eve");
    const us = await ours(context, "racer");
    const [{ id }] = await us.group("create", "--name", "race", ann.address, bob.address, eve.address);
    await us.group("admin", id, "add-super", ann.address);
    const race = { us, ann, bob, id, people: { cid, dee, eve }, round: 0, switched: new Set() };
    race.toggle = (name) => (race.switched.delete(name) ? false : (race.switched.add(name), true));
    race.atAnn = await ann.conversation(id);
    race.atBob = await bob.conversation(id);
    await race.atAnn.sync();
    return race;
}

async function inTime(action) {
    const started = Date.now();
    await action();
    return Date.now() - started;
}

// One command of ours takes much longer than one call of the official client, which therefore waits for a part of that
// time: by and by, its commit meets every step of ours.
async function bothAtOnce(race, mine, theirs, wait) {
    let oursTook;
    const outcomes = await Promise.allSettled([
        inTime(() => operations[mine].ours(race)).then((ms) => (oursTook = ms)),
        sleep(wait).then(() => operations[theirs].official(race)),
    ]);
    const failed = outcomes.filter((o) => o.status === "rejected").map((o) => String(o.reason?.message ?? o.reason));
    same(`round ${race.round}: ours ${mine}, ann ${theirs}: failures`, failed, []);
    return oursTook;
}

scenario("commit races between the official client and ours: no fork", async (context) => {
    const race = await begin(context);
    const rounds = context.rounds ?? 10;
    let usual = 200;
    let late = 0;
    let seen = 0n;
    for (race.round = 1; race.round <= rounds; race.round++) {
        const mine = kinds[race.round % kinds.length];
        const theirs = kinds[Math.floor(race.round / kinds.length) % kinds.length];
        const took = await bothAtOnce(race, mine, theirs, Math.random() * usual);
        usual = (usual + took) / 2;
        const here = await stateAtOurs(race.us, race.id);
        const what = `round ${race.round} (ours ${mine}, ann ${theirs})`;
        same(`${what}: ann and ours`, await stateAtOfficial(race.atAnn), here);
        same(`${what}: bob and ours`, await stateAtOfficial(race.atBob), here);
        const sequences = await lateCommits(race.us, race.id, seen);
        late += sequences.length;
        seen = sequences.at(-1) ?? seen;
    }
    console.log(`      ${rounds} rounds, ${late} commits came too late and were made again`);
    holds("no commit ever came too late: these were no races", rounds < 50 || late > 0);
});
