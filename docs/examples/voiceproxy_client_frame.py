from voiceproxy import hookimpl


@hookimpl
def voiceproxy_client_frame(session, message):
    if message["type"] == "InjectUserMessage":
        session.to_upstream({**message, "content": f"{message.get('content')}, please"})
        return True  # in place of the frame that came
    return None  # everything else goes on
