"""agent.py: a typed turn."""

from deepgram.agent.v1.types import AgentV1InjectUserMessage, AgentV1Settings
from proxied import client

settings = {
    "audio": {
        "input": {"encoding": "linear16", "sample_rate": 16000},
        "output": {"encoding": "linear16", "sample_rate": 24000, "container": "none"},
    },
    "agent": {
        "think": {
            "provider": {"type": "open_ai", "model": "gpt-4o-mini"},
            "prompt": "Be brief.",
        }
    },
}

with client.agent.v1.connect() as agent:
    agent.send_settings(AgentV1Settings.model_validate(settings))
    for message in agent:
        if isinstance(message, bytes):
            print(f"{len(message)} bytes of speech")
        elif message.type == "SettingsApplied":
            agent.send_inject_user_message(AgentV1InjectUserMessage(content="hello"))
        elif message.type == "ConversationText":
            print(f"{message.role}: {message.content}")
        elif message.type == "AgentAudioDone":
            break
