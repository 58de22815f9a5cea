// Asks for a token as the real @deepgram/sdk does and writes it as JSON.
//
//   node grant.mjs '{"client": {"baseUrl": "ws://HOST:PORT", "apiKey": KEY}, "ttl": SECONDS}'

import { DeepgramClient } from "@deepgram/sdk";

const task = JSON.parse(process.argv[2]);
const client = new DeepgramClient(task.client);
const granted = await client.auth.v1.tokens.grant({ ttl_seconds: task.ttl });
process.stdout.write(JSON.stringify(granted));
