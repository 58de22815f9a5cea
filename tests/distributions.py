"""Real plugin distributions, laid down in a directory as an installer would: found on sys.path."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

BACKEND = """
    from voiceproxy import Endpoint, Upstream, add_endpoint, hookimpl


    class Silent:
        accepts = frozenset({"Settings"})

        def __init__(self, session):
            self.session = session

        def opened(self):
            self.session.to_client({"type": "Welcome", "request_id": self.session.id})

        def upstream_opened(self, headers): ...
        def client_frame(self, frame, message): ...
        def upstream_frame(self, frame): ...
        def upstream_closed(self, close): ...
        def closed(self): ...


    def upstream(session, stand_in):
        return Upstream(None, translator=Silent)


    @hookimpl
    def voiceproxy_setup(app):
        add_endpoint(app, Endpoint("silent", "/silent", upstream, "none"))
        add_endpoint(app, Endpoint("silent", "/v1/agent/converse", upstream, "none", shared=True))
"""
"""A backend that dials nothing and answers with a Welcome alone."""

OBSERVER = """
    from voiceproxy import hookimpl


    @hookimpl
    def voiceproxy_connect(session): ...
"""


def install(
    directory: Path,
    name: str,
    *,
    version: str = "1.0",
    entry_points: dict[str, str] | None = None,
    modules: dict[str, str] | None = None,
    requires: tuple[str, ...] = (),
) -> None:
    """Install ``name``: write its modules (name -> source) and its dist-info."""
    for module, source in (modules or {}).items():
        path = directory / (module.replace(".", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(source))
    info = directory / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    lines = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"]
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    (info / "METADATA").write_text("\n".join(lines) + "\n")
    points = "".join(f"{key} = {value}\n" for key, value in (entry_points or {}).items())
    (info / "entry_points.txt").write_text(f"[voiceproxy]\n{points}")
