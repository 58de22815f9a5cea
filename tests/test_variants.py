"""voiceproxy/variants.py: the endpoint a query asks for, and the dialect of the setting."""

from __future__ import annotations

from dataclasses import replace

import pytest
from multidict import MultiDict
from running import QUICK, echo, refused

from voiceproxy import Endpoint, PluginFault, Refuse, Upstream, add_endpoint, hookimpl
from voiceproxy.testing import FakeUpstream, connected, serve
from voiceproxy.variants import variant_of, with_dialect

AGENT = Endpoint("named", "/named", lambda session, stand_in: Upstream(None), "named")
LISTEN = replace(AGENT, protocol="listen")


def _by_service(query):
    service = query.get("service", "agent")
    if service == "unknown":
        raise Refuse(400, "No such service.")
    return {"agent": AGENT, "listen": LISTEN}[service]


ASKING = replace(AGENT, variant=_by_service)


def test_an_endpoint_without_variants_answers_every_query():
    assert variant_of(AGENT, MultiDict(service="unknown"), "agent") == (AGENT, None)


def test_the_dialect_of_the_setting_is_spoken_where_there_are_dialects():
    spoken, unserved = variant_of(ASKING, MultiDict(), "agent")
    assert (spoken.dialect, unserved) == ("agent", None)
    assert variant_of(ASKING, MultiDict(service="listen"), "agent") == (LISTEN, None)
    assert with_dialect(AGENT, None) is AGENT


def test_why_no_variant_answers_is_told_beside_the_endpoint_that_was_asked():
    endpoint, refuse = variant_of(ASKING, MultiDict(service="unknown"), None)
    assert (endpoint, isinstance(refuse, Refuse)) == (ASKING, True)
    endpoint, fault = variant_of(ASKING, MultiDict(service="broken"), None)
    assert (endpoint, isinstance(fault, PluginFault)) == (ASKING, True)
    assert isinstance(fault.__cause__, KeyError)


def test_an_interrupt_is_nobodys_fault():
    def interrupted(query):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        variant_of(replace(AGENT, variant=interrupted), MultiDict(), None)


class Backend:
    def __init__(self, url):
        self.endpoint = replace(
            ASKING,
            variant=lambda query: replace(
                _by_service(query), upstream=lambda session, stand_in: Upstream(url)
            ),
        )

    @hookimpl
    def voiceproxy_setup(self, app):
        add_endpoint(app, self.endpoint)


async def test_a_variant_that_fails_is_a_refusal_that_names_its_plugin(caplog):
    async with FakeUpstream(echo) as upstream, serve(Backend(upstream.url), settings=QUICK) as url:
        error = await refused(url + "/named?service=broken")
        assert error.status == 500
        assert error.headers["Content-Type"].startswith("application/json")
        async with connected(url + "/named?service=listen") as client:
            await client.send_str("x")
            assert await client.receive_str() == "x"
    [record] = [one for one in caplog.records if one.levelname == "ERROR"]
    assert (record.plugin, record.error_code) == ("named", "plugin_failed")
    assert record.name == "voiceproxy.session"
