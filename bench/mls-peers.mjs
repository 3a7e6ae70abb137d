// mls-peers.mjs - the peers' side of `./dev bench mls-peers`: the rows of bench_mls in other MLS libraries.
//
//     node mls-peers.mjs ts-mls-1 2,10,100 > rows       one JSON object a row, as of bench_mls --json
//
// A peer is { name, person(i), create(p), join(p, welcome), ... } below: every operation gives a
// promise. Handshakes are PrivateMessages, the ratchet tree is inside the Welcome, credentials are basic with
// 32-byte identities where the peer lets us choose. Trees are cold: all were added by one commit of
// leaf 0; leaf 1 commits, the last leaf receives (the middle one when the last is removed).

const SUITE = 3
const SECONDS_PER_ROW = 2
const now = () => performance.now() * 1000

// --- ts-mls 1.6.4 ---

async function tsMls1() {
  const t = await import("ts-mls")
  const suite = await t.getCiphersuiteImpl(t.getCiphersuiteFromName("MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519"))
  const encode = (message) => t.encodeMlsMessage({ version: "mls10", ...message })
  const decode = (bytes) => t.decodeMlsMessage(bytes, 0)[0]
  const commit = async (state, extraProposals) => {
    const made = await t.createCommit({ state, cipherSuite: suite }, { extraProposals, ratchetTreeExtension: true })
    return {
      state: made.newState,
      message: t.encodeMlsMessage(made.commit),
      welcome: made.welcome && encode({ welcome: made.welcome, wireformat: "mls_welcome" }),
    }
  }
  return {
    name: "ts-mls 1.6.4",
    person: (i) => t.generateKeyPackage({ credentialType: "basic", identity: identity(i) }, t.defaultCapabilities(), t.defaultLifetime, [], suite),
    create: (p) => t.createGroup(groupId(), p.publicPackage, p.privatePackage, [], suite),
    add: (state, people) => commit(state, people.map((p) => ({ proposalType: "add", add: { keyPackage: p.publicPackage } }))),
    remove: (state, leaf) => commit(state, [{ proposalType: "remove", remove: { removed: leaf } }]),
    update: (state) => commit(state, []),
    join: (p, welcome) => t.joinGroup(decode(welcome).welcome, p.publicPackage, p.privatePackage, t.emptyPskIndex, suite),
    protect: async (state, text) => {
      const made = await t.createApplicationMessage(state, text, suite)
      return { state: made.newState, message: encode({ privateMessage: made.privateMessage, wireformat: "mls_private_message" }) }
    },
    process: async (state, bytes) => (await t.processPrivateMessage(state, decode(bytes).privateMessage, t.emptyPskIndex, suite)).newState,
    authenticator: (state) => state.keySchedule.epochAuthenticator,
  }
}

// --- ts-mls 2.0.0-rc.10 ---

async function tsMls2() {
  const t = await import("ts-mls-2")
  const context = {
    cipherSuite: await t.getCiphersuiteImpl("MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519"),
    authService: t.unsafeTestingAuthenticationService,
  }
  const encode = (message) => t.encode(t.mlsMessageEncoder, message)
  const decode = (bytes) => t.decode(t.mlsMessageDecoder, bytes)
  const commit = async (state, extraProposals) => {
    const made = await t.createCommit({ context, state, extraProposals, ratchetTreeExtension: true })
    return { state: made.newState, message: encode(made.commit), welcome: made.welcome && encode(made.welcome) }
  }
  return {
    name: "ts-mls 2.0.0-rc.10",
    person: (i) => t.generateKeyPackage({ credential: { credentialType: t.defaultCredentialTypes.basic, identity: identity(i) }, cipherSuite: context.cipherSuite }),
    create: (p) => t.createGroup({ context, groupId: groupId(), keyPackage: p.publicPackage, privateKeyPackage: p.privatePackage }),
    add: (state, people) => commit(state, people.map((p) => ({ proposalType: t.defaultProposalTypes.add, add: { keyPackage: p.publicPackage } }))),
    remove: (state, leaf) => commit(state, [{ proposalType: t.defaultProposalTypes.remove, remove: { removed: leaf } }]),
    update: (state) => commit(state, []),
    join: (p, welcome) => t.joinGroup({ context, welcome: decode(welcome).welcome, keyPackage: p.publicPackage, privateKeys: p.privatePackage }),
    protect: async (state, text) => {
      const made = await t.createApplicationMessage({ context, state, message: text })
      return { state: made.newState, message: encode(made.message) }
    },
    process: async (state, bytes) => (await t.processMessage({ context, state, message: decode(bytes) })).newState,
    authenticator: (state) => state.keySchedule.epochAuthenticator,
  }
}

// --- OpenMLS, as Wire's core-crypto ---

// State lives in a database in memory: a state here is { client, id }, and an operation changes it.
async function coreCrypto() {
  const c = await import("@wireapp/core-crypto/native")
  const person = async (i) => {
    const hex = i.toString(16).padStart(12, "0")
    const client = c.CoreCrypto.new(await c.Database.inMemory())
    const id = new c.ClientId(new c.Uuid(`00000000-0000-4000-8000-${hex}`), new c.DeviceId(BigInt(i + 1)), "example.org")
    const p = { client, id, bundle: undefined }
    const transport = { sendCommitBundle: async (bundle) => { p.bundle = bundle }, prepareForTransport: async () => new Uint8Array() }
    p.credential = await client.transaction(async (context) => {
      await context.mlsInit(id, transport)
      return context.addCredential(c.Credential.basic(SUITE, id))
    })
    p.keyPackage = await newKeyPackage(p)
    return p
  }
  const newKeyPackage = (p) => p.client.transaction((context) => context.generateKeyPackage(p.credential))
  const change = async (state, f) => {
    await state.p.client.transaction((context) => f(context, state.id))
    const bundle = state.p.bundle
    return { state, message: bundle.commit, welcome: bundle.welcome }
  }
  return {
    name: "core-crypto 10.3.0 (OpenMLS)",
    person,
    newKeyPackage,
    refresh: async (p) => { p.keyPackage = await newKeyPackage(p) },
    create: async (p) => {
      const id = new c.ConversationId(groupId())
      await p.client.transaction((context) => context.createConversation(id, p.credential))
      return { p, id }
    },
    add: (state, people) => change(state, (context, id) => context.addClientsToConversation(id, people.map((p) => p.keyPackage))),
    remove: (state, leaf, people) => change(state, (context, id) => context.removeClientsFromConversation(id, [people[leaf].id])),
    update: (state) => change(state, (context, id) => context.updateKeyingMaterial(id)),
    join: async (p, welcome) => ({ p, id: await p.client.transaction((context) => context.processWelcomeMessage(welcome)) }),
    protect: async (state, text) => ({ state, message: await state.p.client.transaction((context) => context.encryptMessage(state.id, text)) }),
    process: async (state, bytes) => {
      await state.p.client.transaction((context) => context.decryptMessage(state.id, bytes))
      return state
    },
    authenticator: async (state) => (await state.p.client.transaction((context) => context.exportSecretKey(state.id, 32))).copyBytes(),
  }
}

// --- measuring ---

let groups = 0
const groupId = () => new TextEncoder().encode(`bench ${String(groups++).padStart(10, "0")}`)

function identity(i) {
  const bytes = new Uint8Array(32)
  new DataView(bytes.buffer).setUint32(0, i, true)
  return bytes
}

async function timed(samples, f) {
  const start = now()
  const result = await f()
  samples.push(now() - start)
  return result
}

const sorted = (samples) => [...samples].sort((a, b) => a - b)

function report(peer, row, tree, members, samples) {
  const all = sorted(samples)
  const at = (part) => Number(all[Math.floor(part * (all.length - 1) + 0.5)].toFixed(2))
  console.log(JSON.stringify({ peer, row, tree, members, us: at(0.5), min_us: at(0), p90_us: at(0.9), samples: all.length }))
}

async function agree(peer, a, b) {
  const [x, y] = [await peer.authenticator(a), await peer.authenticator(b)]
  if (Buffer.compare(Buffer.from(x), Buffer.from(y)) !== 0) {
    throw new Error(`${peer.name}: two members disagree`)
  }
}

// A group of all people, seen by its leaves 0, 1 and the one that will receive.
async function newGroup(peer, people, receiver, rows) {
  for (const leaf of [1, receiver]) {
    await peer.refresh?.(people[leaf])
  }
  const made = await timed(rows.create, async () => peer.add(await peer.create(people[0]), people.slice(1)))
  const states = { 0: made.state }
  states[1] = await timed(rows.join, () => peer.join(people[1], made.welcome))
  if (states[receiver] === undefined) {
    states[receiver] = await peer.join(people[receiver], made.welcome)
  }
  return states
}

const last = (people) => (people.length === 2 ? 0 : people.length - 1)

const KINDS = {
  update: { rows: ["full commit, create", "full commit, process"], receiver: last, commit: (peer, state) => peer.update(state) },
  add: { rows: ["add one, create", "add one, process"], receiver: last, commit: (peer, state, people, newcomer) => peer.add(state, [newcomer]) },
  remove: {
    rows: ["remove one, create", "remove one, process"],
    receiver: (people) => Math.floor(people.length / 2),
    commit: (peer, state, people) => peer.remove(state, people.length - 1, people),
  },
}

// Each repetition has a new group: a commit warms the tree, and a stateful peer cannot go back.
async function measureCommits(peer, people, newcomer, kind, rows) {
  const { rows: names, receiver: choose, commit } = KINDS[kind]
  const receiver = choose(people)
  const create = []
  const process = []
  const started = now()
  do {
    const states = await newGroup(peer, people, receiver, rows)
    const made = await timed(create, () => commit(peer, states[1], people, newcomer))
    const processed = await timed(process, () => peer.process(states[receiver], made.message))
    await agree(peer, made.state, processed)
  } while (create.length < 3 || (now() - started < SECONDS_PER_ROW * 1e6 && create.length < 100))
  report(peer.name, names[0], "cold", people.length, create)
  report(peer.name, names[1], "cold", people.length, process)
}

async function measureMessages(peer, people, rows) {
  const receiver = last(people)
  const states = await newGroup(peer, people, receiver, rows)
  for (const [length, label] of [[64, "64 B"], [1024, "1 KiB"]]) {
    const text = new Uint8Array(length)
    const sending = []
    const receiving = []
    const started = now()
    while (sending.length < 20 || (now() - started < SECONDS_PER_ROW * 1e6 && sending.length < 1000)) {
      const sent = await timed(sending, () => peer.protect(states[1], text))
      states[1] = sent.state
      states[receiver] = await timed(receiving, () => peer.process(states[receiver], sent.message))
    }
    report(peer.name, `protect ${label}`, "cold", people.length, sending)
    report(peer.name, `unprotect ${label}`, "cold", people.length, receiving)
  }
}

async function measureKeyPackages(peer, person, members) {
  const samples = []
  for (let i = 0; i < 50; i++) {
    await timed(samples, () => (peer.newKeyPackage ? peer.newKeyPackage(person) : peer.person(i)))
  }
  report(peer.name, "create KeyPackage", "-", members, samples)
}

async function measureSize(peer, members) {
  const people = []
  for (let i = 0; i <= members; i++) {
    people.push(await peer.person(i))
  }
  const newcomer = people.pop()
  const rows = { create: [], join: [] }
  await measureKeyPackages(peer, newcomer, members)
  await measureMessages(peer, people, rows)
  for (const kind of members >= 10 ? ["update", "add", "remove"] : ["update", "add"]) {
    await measureCommits(peer, people, newcomer, kind, rows)
  }
  report(peer.name, "create group, add N-1", "new", members, rows.create)
  report(peer.name, "join from Welcome", "new", members, rows.join)
}

const PEERS = { "ts-mls-2": tsMls2, "ts-mls-1": tsMls1, "core-crypto": coreCrypto }

const peer = await PEERS[process.argv[2]]()
for (const members of process.argv[3].split(",").map(Number)) {
  console.error(`bench: ${peer.name}, ${members} members`)
  await measureSize(peer, members)
}
