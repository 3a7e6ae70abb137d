// people.mjs - what scenarios share: people of both kinds, and comparing what they see.
import { same } from "./check.mjs";
import { Official } from "./official.mjs";
import { Ours } from "./ours.mjs";

export const turns = 20;
// The official agent sometimes handles one message twice while a new conversation arrives: repeats are folded.
export const unique = (list) => [...new Set(list)];
export const ids = (view) => view.messages.map((m) => m.id);
export const texts = (view) => view.messages.map((m) => m.text);

// Everybody given has the same messages in the same order, the same epoch, members and name.
export function sameViews(views) {
    const [[firstName, first], ...rest] = Object.entries(views);
    for (const [name, view] of rest) {
        same(`messages of ${name} as those of ${firstName}`, ids(view), ids(first));
        same(`texts of ${name} as those of ${firstName}`, texts(view), texts(first));
        same(`epoch of ${name} as that of ${firstName}`, view.epoch, first.epoch);
        same(`members of ${name} as those of ${firstName}`, view.members, first.members);
        if (view.name !== undefined && first.name !== undefined) {
            same(`group name of ${name} as that of ${firstName}`, view.name, first.name);
        }
    }
}

export const viewsOf = async (id, peers) => {
    const views = {};
    for (const peer of peers) {
        views[peer.name] = await peer.view(id);
    }
    return views;
};

export async function officials(after, ...names) {
    const peers = [];
    for (const name of names) {
        const peer = await Official.create(name);
        after(() => peer.close());
        peers.push(peer);
    }
    return peers;
}

export async function ours(context, name) {
    return new Ours(context.program, context.folder, name).register();
}
