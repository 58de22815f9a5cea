"""The docs say what the code does."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

import voiceproxy
from voiceproxy import agent
from voiceproxy.handle import Session

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])


def _page(name: str) -> str:
    return (DOCS / name).read_text()


def _blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_generated_parts_are_up_to_date():
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page: Path):
    prose = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", prose)
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_page_has_a_title_and_no_placeholder(page: Path):
    text = page.read_text()
    assert text.startswith("# ")
    assert not re.search(r"TODO|FIXME|TBD|lorem", text)


@pytest.mark.parametrize("code", agent.ERROR_CODES)
def test_every_error_code_of_the_host_is_documented(code: str):
    assert f"`{code}`" in _page("reference/errors.md")


@pytest.mark.parametrize(
    "name", [name for name in dir(Session) if not name.startswith("_") and name != "closing"]
)
def test_everything_a_session_offers_is_documented(name: str):
    assert re.search(rf"`{name}[`(\[]", _page("reference/hooks.md"))


def test_every_endpoint_of_the_openai_backend_is_documented():
    app = voiceproxy.create_app(["openai", "simulator"], environ={})
    page = _page("reference/endpoints.md")
    assert [one.path for one in voiceproxy.endpoints(app) if f"`{one.path}`" not in page] == []


def test_every_target_the_docs_name_is_in_the_makefile():
    named = {
        target
        for page in PAGES
        for target in re.findall(
            r"make (\w+)",
            "\n".join(
                [*_blocks(page.read_text(), "sh"), *re.findall(r"`[^`\n]+`", page.read_text())]
            ),
        )
    }
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert named <= targets


def test_the_version_is_the_one_of_the_package_and_of_the_changelog():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert voiceproxy.__version__ == project["version"]
    assert f"## {project['version']}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize(
    ("page", "passed"),
    [
        ("how-to/write-a-plugin.md", 1),
        ("how-to/test-a-plugin.md", 2),
        ("how-to/hold-a-frame.md", 8),
        ("how-to/write-a-backend.md", 18),
    ],
)
def test_the_plugins_of_the_how_tos_pass_their_tests(tmp_path: Path, page: str, passed: int):
    for block in _blocks(_page(page), "python"):
        name = re.match(r"# (\w+\.py)\n", block)
        if name:
            (tmp_path / name[1]).write_text(block)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-o",
            "asyncio_mode=auto",
            "-p",
            "no:cacheprovider",
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
    )
    assert f"{passed} passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    "page", ["how-to/write-a-plugin.md", "how-to/test-a-plugin.md", "how-to/embed.md"]
)
def test_every_python_example_compiles(page: str):
    for block in _blocks(_page(page), "python"):
        compile(block, page, "exec")


def test_the_embedding_examples_build_an_application():
    mounted, plain, shared, served = _blocks(_page("how-to/embed.md"), "python")
    environ = {"OPENAI_API_KEY": "k"}
    before = dict(os.environ)
    os.environ.update(environ)
    try:
        names: dict[str, object] = {}
        exec(mounted.replace("web.run_app(app)", ""), names)
        other = {"app": web.Application(), "voiceproxy": voiceproxy}
        exec(plain, other)
        client = web.AppKey("client", aiohttp.ClientSession)
        parent = {"app": web.Application(), "aiohttp": aiohttp, "voiceproxy": voiceproxy}
        exec(shared, {**parent, "CLIENT": client})
        exec(served, {})
    finally:
        os.environ.clear()
        os.environ.update(before)
    assert json.dumps(sorted(_paths(names["app"]))) == json.dumps(
        ["/voice/health", "/voice/openai", "/voice/ready", "/voice/v1/agent/converse"]
    )
    assert sorted(_paths(other["app"])) == ["/calls/openai", "/calls/v1/agent/converse"]


def _paths(app: object) -> set[str]:
    assert isinstance(app, web.Application)
    paths = {route.resource.canonical for route in app.router.routes() if route.resource}
    return {path for path in paths if "{" not in path}


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial/first-conversation.md"])
def test_the_plugins_shown_to_newcomers_load_and_work(page: str):
    [plugin] = [b for b in _blocks((ROOT / page).read_text(), "python") if "@hookimpl" in b]
    module = type(sys)("shown")
    exec(plugin, module.__dict__)
    from voiceproxy.testing import drive

    s = drive(plugins=[module])
    s.upstream({"type": "ConversationText", "role": "assistant", "content": "hi"})
    s.client({"type": "InjectUserMessage", "content": "sing"})
    said = s.to_client()[0]["content"], s.to_upstream()[0]["content"]
    assert said in {("HI", "sing"), ("hi", "sing, please")}
