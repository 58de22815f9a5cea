from voiceproxy import hookimpl


@hookimpl(trylast=True)
def voiceproxy_close(session, close):
    session.log.info(
        "%s by %s after %.1f s, %d frames of the client",
        close.outcome,
        close.by,
        close.duration,
        close.from_client.frames,
    )
