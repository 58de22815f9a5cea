"""The checked-in schemas are those of the installed ``openai`` package."""

from __future__ import annotations

from pathlib import Path

import pytest

from voiceproxy_simulator import generate_schemas
from voiceproxy_simulator.validation import client_events, server_events


def test_the_checked_in_client_schema_is_what_the_installed_package_gives() -> None:
    generated = generate_schemas.encode(generate_schemas.client_schema())
    assert generate_schemas.CLIENT_FILE.read_bytes() == generated


def test_the_checked_in_server_schema_is_what_the_installed_package_gives() -> None:
    generated = generate_schemas.encode(generate_schemas.server_schema())
    assert generate_schemas.SERVER_FILE.read_bytes() == generated


def test_the_generator_writes_both_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate_schemas, "CLIENT_FILE", tmp_path / "client.json")
    monkeypatch.setattr(generate_schemas, "SERVER_FILE", tmp_path / "server.json")
    generate_schemas.main()
    assert {file.name for file in tmp_path.iterdir()} == {"client.json", "server.json"}


def test_the_schemas_know_every_event_of_the_api() -> None:
    assert len(client_events().event_types) == 11
    assert len(server_events().event_types) == 46


def test_a_parameter_called_like_a_keyword_survives_the_stripping_of_prose() -> None:
    stripped = generate_schemas._strip(
        {"title": "T", "properties": {"title": {"type": "string", "title": "Title"}}}, named=False
    )
    assert stripped == {"properties": {"title": {"type": "string"}}}
