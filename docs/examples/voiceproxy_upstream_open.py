from voiceproxy import StateKey, hookimpl

ASKED = StateKey[float]("when the client asked")


@hookimpl
def voiceproxy_connect(session):
    session.state[ASKED] = session.now()


@hookimpl(trylast=True)
def voiceproxy_upstream_open(session, headers):
    session.log.info("the upstream answered after %.3f s", session.now() - session.state[ASKED])
