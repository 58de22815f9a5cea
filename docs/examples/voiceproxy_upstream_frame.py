from voiceproxy import hookimpl


@hookimpl
def voiceproxy_upstream_frame(session, message):
    if message["type"] == "AgentThinking":
        return True  # dropped
    if message["type"] == "ConversationText":
        session.observe_as({**message, "content": "..."})  # for logs; the client gets the words
    return None
