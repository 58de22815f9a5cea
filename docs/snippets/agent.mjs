// agent.mjs: a typed turn.
import { client } from "./proxied.mjs";

const agent = await client.agent.v1.connect();
agent.connect();
await agent.waitForOpen();
agent.sendSettings({
  type: "Settings",
  audio: {
    input: { encoding: "linear16", sample_rate: 16000 },
    output: { encoding: "linear16", sample_rate: 24000, container: "none" },
  },
  agent: {
    think: {
      provider: { type: "open_ai", model: "gpt-4o-mini" },
      prompt: "Be brief.",
    },
  },
});
for await (const message of agent) {
  if (message instanceof Blob) {
    console.log(`${message.size} bytes of speech`);
  } else if (message.type === "SettingsApplied") {
    agent.sendInjectUserMessage({ type: "InjectUserMessage", content: "hello" });
  } else if (message.type === "ConversationText") {
    console.log(`${message.role}: ${message.content}`);
  } else if (message.type === "AgentAudioDone") {
    break;
  }
}
