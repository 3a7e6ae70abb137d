// exit.mjs - ends in the way that its argument names, with an agent that runs.
import { Worker, isMainThread, parentPort } from "node:worker_threads";
import { XMTP } from "xmtp";

const how = process.argv[2] ?? "worker";
const options = { node: process.env.XMTP_NODE };

async function twoAgents() {
  const agents = [new XMTP(() => {}, options), new XMTP(() => new Promise(() => {}), options)];
  await Promise.all(agents.map((agent) => agent.init()));
  await agents[0].send({ message: "never handled", receivers: agents[1].address });
  return agents;
}

async function inWorkers() {
  for (const ending of ["terminate", "exit"]) {
    const worker = new Worker(new URL(import.meta.url));
    await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
    const ended = new Promise((resolve) => worker.once("exit", resolve));
    ending === "exit" ? worker.postMessage("exit") : await worker.terminate();
    await ended;
  }
}

if (!isMainThread) {
  await twoAgents();
  parentPort.on("message", () => process.exit(0));
  parentPort.postMessage("ready");
} else if (how === "close") {
  await Promise.all((await twoAgents()).map((agent) => agent.close())); // and nothing keeps the process
} else if (how === "process.exit") {
  await twoAgents();
  process.exit(7);
} else if (how === "uncaught") {
  await twoAgents();
  setTimeout(() => {
    throw new Error("thrown on purpose");
  }, 10);
} else if (how === "stays") {
  await twoAgents();
  console.log("ready"); // and the agents keep the process
} else {
  await inWorkers();
}
