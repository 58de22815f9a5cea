from voiceproxy import Refuse, hookimpl


@hookimpl(tryfirst=True)
async def voiceproxy_connect(session, upstream):
    if session.headers.get("X-Door-Code") != "sesame":
        raise Refuse(401, "Say the door code.")
    upstream.headers["X-Caller"] = session.id
