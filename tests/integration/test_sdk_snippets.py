"""What the README shows of Deepgram's SDKs runs as it stands, but for the proxy's address."""

from __future__ import annotations

import asyncio
import shutil
import sys
import wave
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

import pytest
from caller import PATIENCE, SPEECH
from node_line import NODE, node
from programs import serving
from yarl import URL

from voiceproxy.testing import serve

ROOT = Path(__file__).parents[2]
SNIPPETS = ROOT / "docs" / "snippets"
LANGUAGES = {".py": "python", ".mjs": "js"}
BURST = {"simulator.pace": "burst"}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with what the snippets read and import."""
    (tmp_path / "node_modules").symlink_to(NODE / "node_modules")
    (tmp_path / "tests" / "data").mkdir(parents=True)
    shutil.copy(SPEECH, tmp_path / "tests" / "data")
    return tmp_path


async def run(place: Path, proxy: str, snippet: str) -> list[str]:
    """Run a snippet of the docs against a proxy at this URL; the lines it prints."""
    url = URL(proxy)
    for source in SNIPPETS.iterdir():
        text = source.read_text()
        (place / source.name).write_text(text.replace("127.0.0.1:8080", f"{url.host}:{url.port}"))
    program = node() if snippet.endswith(".mjs") else sys.executable
    process = await asyncio.create_subprocess_exec(
        program, place / snippet, cwd=place, stdin=DEVNULL, stdout=PIPE, stderr=PIPE
    )
    try:
        async with asyncio.timeout(3 * PATIENCE):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, errors.decode()
    return output.decode().splitlines()


@pytest.mark.parametrize("snippet", sorted(SNIPPETS.glob("*.*")), ids=lambda path: path.name)
def test_the_readme_shows_the_snippet_as_it_is_run(snippet: Path) -> None:
    block = f"```{LANGUAGES[snippet.suffix]}\n{snippet.read_text()}```\n"
    assert block in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("backend", ["openai", "deepgram"])
@pytest.mark.parametrize("snippet", ["agent.py", "agent.mjs"])
async def test_the_agents_snippet_holds_a_typed_turn(
    place: Path, snippet: str, backend: str
) -> None:
    async with serve(backend, "simulator", settings=BURST) as proxy:
        printed = await run(place, proxy, snippet)
    said = [line for line in printed if not line.endswith(" bytes of speech")]
    assert said == ["user: hello", 'assistant: You said "hello".']
    assert len(said) < len(printed)


@pytest.mark.parametrize("snippet", ["listen.py", "listen.mjs", "flux.py"])
async def test_the_listening_snippets_print_what_was_heard(place: Path, snippet: str) -> None:
    async with serve("deepgram", "simulator", settings=BURST) as proxy:
        printed = await run(place, proxy, snippet)
    assert "s of speech" in " ".join(printed)


async def test_the_speaking_snippet_writes_speech_into_a_file(place: Path) -> None:
    async with serve("deepgram", "simulator", settings=BURST) as proxy:
        await run(place, proxy, "speak.py")
    with wave.open(str(place / "hello.wav")) as file:
        assert file.getframerate() == 24000
        assert 0.2 < file.getnframes() / 24000 < 10


async def test_one_process_serves_the_agent_of_one_backend_and_the_streams_of_the_other(
    place: Path,
) -> None:
    flags = ("--plugin", "openai", "--plugin", "deepgram", "--plugin", "simulator")
    async with serving(place, *flags, "--simulator-pace", "burst") as proxy:
        turn, recording = await asyncio.gather(
            run(place, str(proxy.url), "agent.py"), run(place, str(proxy.url), "listen.mjs")
        )
        endpoints = proxy.output[0].partition("endpoints: ")[2].split()
    assert 'assistant: You said "hello".' in turn
    assert "s of speech" in " ".join(recording)
    assert {"/openai", "/deepgram", "/v1/agent/converse", "/v1/listen"} <= set(endpoints)
