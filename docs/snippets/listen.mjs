// listen.mjs: a recording, written down.
import { readFile } from "node:fs/promises";
import { client } from "./proxied.mjs";

const audio = (await readFile("tests/data/speech.wav")).subarray(44);
const options = { model: "nova-3", encoding: "linear16", sample_rate: 16000 };
const listen = await client.listen.v1.connect(options);
listen.connect();
await listen.waitForOpen();
for (let start = 0; start < audio.length; start += 3200) {
  listen.sendMedia(audio.subarray(start, start + 3200));
}
listen.sendCloseStream({ type: "CloseStream" });
for await (const message of listen) {
  if (message.type === "Results") {
    console.log(message.channel.alternatives[0].transcript);
  }
}
