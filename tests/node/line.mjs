// One connection of the real @deepgram/sdk, for tests that are written in another language.
//
//   node line.mjs '{"client": {"baseUrl": "ws://HOST:PORT"}, "product": "agent.v1", "options": {}}'
//
// It does what a line on stdin says, {"method": "sendSettings", "message": {...}} or {"media":
// BASE64}, and writes what the SDK's handlers are called with, in order, one JSON object a line.
// The end of stdin closes the connection. Only the SDK's documented calls are made.

import { createInterface } from "node:readline";
import { DeepgramClient } from "@deepgram/sdk";

const task = JSON.parse(process.argv[2]);
const [name, version] = task.product.split(".");
const client = new DeepgramClient(task.client);
const socket = await client[name][version].connect(task.options);

// The bytes of a Blob arrive later than the Blob: whatever follows waits for them.
let told = Promise.resolve();
function tell(event, data) {
  told = told.then(async () => {
    if (data instanceof Blob) {
      data = { audio: Buffer.from(await data.arrayBuffer()).toString("base64") };
    }
    process.stdout.write(`${JSON.stringify({ event, data })}\n`);
  });
}

socket.on("open", () => tell("open"));
socket.on("message", (data) => tell("message", data));
socket.on("error", (error) => tell("error", error.message));
socket.on("close", ({ code, reason }) => tell("close", { code, reason }));
socket.connect();

const commands = createInterface({ input: process.stdin });
commands.on("line", (line) => {
  const { method, message, media } = JSON.parse(line);
  if (method) {
    socket[method](message);
  } else {
    socket.sendMedia(Buffer.from(media, "base64"));
  }
});
commands.on("close", () => {
  socket.close();
  if (socket.readyState === 3) {
    told.then(() => process.exit()); // not after the seconds the SDK waits to connect again
  }
});

await socket.waitForOpen().catch(() => commands.close());
