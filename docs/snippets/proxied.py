"""proxied.py: the SDK's client, at the proxy's address."""

from deepgram import DeepgramClient
from deepgram.environment import DeepgramClientEnvironment

http, ws = "http://127.0.0.1:8080", "ws://127.0.0.1:8080"
client = DeepgramClient(
    api_key="unused",
    environment=DeepgramClientEnvironment(base=http, production=ws, agent=ws, agent_rest=http),
)
