// proxied.mjs: the SDK's client, at the proxy's address.
import { DeepgramClient } from "@deepgram/sdk";

export const client = new DeepgramClient({ apiKey: "unused", baseUrl: "ws://127.0.0.1:8080" });
