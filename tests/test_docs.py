"""The docs say what the code does."""

import ast
import dataclasses
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import aiohttp
import pytest
from aiohttp import web

import voiceproxy
import voiceproxy.testing
from voiceproxy import agent
from voiceproxy.backend import Upstream
from voiceproxy.cli import COMMANDS
from voiceproxy.closing import Closing
from voiceproxy.handle import Session
from voiceproxy.testing import drive

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PUBLIC = {"voiceproxy": voiceproxy, "voiceproxy.testing": voiceproxy.testing}
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])


def _page(name: str) -> str:
    return (DOCS / name).read_text()


def _blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def _files(page: str) -> list[tuple[str, str]]:
    """The blocks of a page that say in their first line which file they are."""
    blocks = _blocks(_page(page), "python")
    return [(name[1], one) for one in blocks if (name := re.match(r"# (\w+\.py)\n", one))]


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
    "name",
    [
        *(name for name in dir(Session) if not name.startswith("_")),
        *(one.name for of in (Upstream, Closing) for one in dataclasses.fields(of)),
    ],
)
def test_everything_a_hook_gets_is_documented(name: str):
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
        ("how-to/write-a-plugin.md", 2),
        ("how-to/write-a-filter.md", 6),
        ("how-to/test-a-plugin.md", 7),
        ("how-to/add-a-route.md", 2),
        ("how-to/hold-a-frame.md", 9),
        ("how-to/write-a-backend.md", 18),
    ],
)
def test_the_plugins_of_the_how_tos_pass_their_tests(tmp_path: Path, page: str, passed: int):
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["voiceproxy.pytest_plugin"]\n')
    for name, block in _files(page):
        (tmp_path / name).write_text(block)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            *("-W", "error"),
            *("-o", "asyncio_mode=auto"),
            *("-o", "asyncio_default_fixture_loop_scope=function"),
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


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_python_example_compiles(page: Path):
    for block in _blocks(page.read_text(), "python"):
        compile(block, page.name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_every_page_is_reached_from_the_readme():
    found, queue = set(), [ROOT / "README.md"]
    while queue:
        page = queue.pop()
        found.add(page)
        queue += [one for one in _pages_linked(page) if one not in found]
    assert sorted(set(DOCS.rglob("*.md")) - found) == []


def _pages_linked(page: Path) -> list[Path]:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+\.md)", page.read_text())
    return [(page.parent / link).resolve() for link in links]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_link_into_a_page_leads_to_a_heading_there(page: Path):
    prose = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for link, anchor in re.findall(r"\]\(([^):#]*)#([^)]+)\)", prose):
        there = (page.parent / link) if link else page
        headings = re.findall(r"^#+ (.+)$", there.read_text(), re.MULTILINE)
        slugs = {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}
        assert anchor in slugs, f"{link}#{anchor}"


def test_every_command_the_docs_name_exists():
    text = "\n".join(page.read_text() for page in PAGES)
    named = set(re.findall(r"python -m voiceproxy ([a-z][\w-]+)", text))
    assert named <= set(COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_name_the_examples_import_of_the_public_modules_is_public(page: Path):
    for block in _blocks(page.read_text(), "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module in PUBLIC:
                names = {alias.name for alias in node.names}
                assert names <= set(PUBLIC[node.module].__all__)


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
    s = drive(plugins=[_module(plugin)])
    s.upstream({"type": "ConversationText", "role": "assistant", "content": "hi"})
    s.client({"type": "InjectUserMessage", "content": "sing"})
    said = s.to_client()[0]["content"], s.to_upstream()[0]["content"]
    assert said in {("HI", "sing"), ("hi", "sing, please")}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_plugin_that_is_shown_ends_a_session_over_a_message_that_makes_no_sense(page: Path):
    for block in _blocks(page.read_text(), "python"):
        if "\ndef voiceproxy_client_frame" in block:
            s = drive(plugins=[_module(block)])
            s.client({"no": "type"}, {"type": "InjectUserMessage"}, {"type": 7, "content": None})
            assert s.closed is None


def _module(source: str) -> ModuleType:
    module = ModuleType(__name__)  # dataclasses look their module up
    exec(source, module.__dict__)
    return module
