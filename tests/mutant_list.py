"""Ways to break the contract, each a small change of one file that the rule's tests must notice."""

from __future__ import annotations

from typing import NamedTuple

OPENAI = "plugins/voiceproxy_openai"
SIMULATOR = "plugins/voiceproxy_simulator"
HOST = "voiceproxy"


class Mutant(NamedTuple):
    """One broken rule: ``old``, which occurs once in the file, becomes ``new``."""

    rule: str
    file: str
    old: str
    new: str


CORE = (
    # What the vendor requires, as the simulator enforces it
    Mutant("API-6", f"{SIMULATOR}/limits.py", 'Length(f"{at}.id", 32)', 'Length(f"{at}.id", 99)'),
    # Constants
    Mutant(
        "K-4",
        f"{OPENAI}/settings.py",
        "commit_first_audio: float = 1.0",
        "commit_first_audio: float = 0.5",
    ),
    # Connection
    Mutant(
        "NET-6",
        f"{OPENAI}/upstream.py",
        '("Authorization", f"Bearer {key}")',
        '("Authorization", key)',
    ),
    Mutant(
        "NET-10",
        f"{HOST}/gate.py",
        "            if frame.data:\n                self._in_turn(frame, None)  # audio",
        "            if True:\n                self._in_turn(frame, None)  # audio",
    ),
    # Settings
    Mutant(
        "SES-4", f"{HOST}/gate.py", "[*self._injects, *self._rest]", "[*self._rest, *self._injects]"
    ),
    Mutant(
        "SES-10",
        f"{OPENAI}/settings_mapping.py",
        "_context(agent) or not greeting.strip()",
        "not greeting.strip()",
    ),
    Mutant(
        "MAP-6",
        f"{OPENAI}/settings_mapping.py",
        "return min(max(int(given + 0.5), low), high)",
        "return int(given + 0.5)",
    ),
    # Text turns
    Mutant(
        "TXT-2",
        f"{OPENAI}/response_gate.py",
        "while not self._unconfirmed and not self.busy:",
        "while not self.busy:",
    ),
    Mutant(
        "TXT-9",
        f"{OPENAI}/response_gate.py",
        "bool(self._active or self._in_flight or self._unseen)",
        "bool(self._in_flight or self._unseen)",
    ),
    # Microphone
    Mutant(
        "AUD-6", f"{OPENAI}/audio_formats.py", "self._carried = data[-1:]", 'self._carried = b""'
    ),
    Mutant(
        "AUD-10",
        f"{OPENAI}/manual_commits.py",
        "if self._pending >= self._least and not self._gate.busy:",
        "if not self._gate.busy:",
    ),
    # Speech events
    Mutant("TRN-2", f"{OPENAI}/speech.py", "or [0, 1],", "or [0],"),
    # Output
    Mutant(
        "OUT-12",
        f"{OPENAI}/messages.py",
        'self._send({"type": "AgentDone"})\n        self._send({"type": "AgentAudioDone"})',
        'self._send({"type": "AgentAudioDone"})\n        self._send({"type": "AgentDone"})',
    ),
    Mutant(
        "OUT-18",
        f"{OPENAI}/playback.py",
        "return Heard(part.item_id, part.content_index, heard_ms)",
        "return Heard(part.item_id, part.content_index, total_ms)",
    ),
    # Function calls
    Mutant(
        "FCT-5",
        f"{OPENAI}/function_calls.py",
        "        if batch.response.state in (ResponseState.RUNNING, ResponseState.INTERRUPTED):\n"
        "            return\n",
        "",
    ),
    Mutant("FCT-9", f"{OPENAI}/function_calls.py", "if call_id in self._asked or ", "if "),
    # Client messages
    Mutant("MSG-2", f"{HOST}/gate.py", 'elif message["type"] != "KeepAlive":', "else:"),
    # Upstream events
    Mutant("EVT-2", f"{OPENAI}/translator.py", "kind[:MAX_TYPE_LOGGED]!r", "event!r"),
    # Errors
    Mutant(
        "ERR-3",
        f"{OPENAI}/translator.py",
        "elif error.code == IDLE_TIMEOUT and self.responses.running:",
        "elif error.code == IDLE_TIMEOUT and False:",
    ),
    Mutant("ERR-10", f"{OPENAI}/errors.py", '        "insufficient_quota",\n', ""),
    # Closing
    Mutant("CLS-9", f"{OPENAI}/upstream_end.py", "_FINAL = (3000, 4000)", "_FINAL = (3000,)"),
    # The command line's client
    Mutant(
        "CLI-1", f"{HOST}/talk/command.py", '"ws://127.0.0.1:8080/openai"', '"ws://127.0.0.1:8080/"'
    ),
    # Defects of the reference implementation
    Mutant(
        "DEF-5",
        f"{OPENAI}/function_calls.py",
        "        if batch.has(CallState.REQUESTED):\n            return\n",
        "",
    ),
    Mutant(
        "DEF-16",
        f"{OPENAI}/translator.py",
        '"the upstream reports an error: %s", error.code',
        '"the upstream reports an error: %s", error.description',
    ),
    # What stands elsewhere
    Mutant("RUN-1", f"{OPENAI}/settings.py", '"variables": ["OPENAI_API_KEY"]', '"variables": []'),
)
"""Run every time; at least one for each section of the contract."""

POOL = (
    # What the vendor requires, as the simulator enforces it
    Mutant("API-8", f"{SIMULATOR}/input_audio.py", "MIN_COMMIT_MS = 100", "MIN_COMMIT_MS = 50"),
    Mutant("API-2", f"{SIMULATOR}/refusals.py", "close_code=3000", "close_code=1008"),
    Mutant(
        "API-1",
        f"{SIMULATOR}/session.py",
        'self._journal.violate(self.id, "binary-frame", "")',
        "pass",
    ),
    Mutant(
        "API-3",
        f"{SIMULATOR}/responder.py",
        "        if self._active is not None:\n            refusal",
        "        if False:\n            refusal",
    ),
    Mutant(
        "API-4",
        f"{SIMULATOR}/responses.py",
        'self._end("failed", {"type": "failed", "error": error})',
        'self._end("completed", {"type": "completed"})',
    ),
    Mutant(
        "API-5",
        f"{SIMULATOR}/session.py",
        '            self._journal.violate(self.id, "response-before-item-added", kind)',
        '            raise refusals.invalid_event("")',
    ),
    Mutant(
        "API-7",
        f"{SIMULATOR}/refusals.py",
        'Refusal("invalid_tool_call_id", message, correlated=False)',
        'Refusal("invalid_tool_call_id", message)',
    ),
    Mutant(
        "API-9",
        f"{SIMULATOR}/responder.py",
        'self._active.cancel("turn_detected")',
        'self._active.cancel("client_cancelled")',
    ),
    Mutant(
        "API-10", f"{SIMULATOR}/conversation.py", "if self.spoken_ms < audio_end_ms:", "if False:"
    ),
    Mutant(
        "API-11",
        f"{SIMULATOR}/session.py",
        "SESSION_SECONDS = 60 * 60",
        "SESSION_SECONDS = 61 * 60",
    ),
    Mutant(
        "API-12", f"{SIMULATOR}/configuration.py", 'if spoken and "voice" in output:', "if False:"
    ),
    Mutant(
        "API-13",
        f"{SIMULATOR}/listening.py",
        "        self._turns.ask_whether_still_there()\n",
        "        pass\n",
    ),
    # Constants
    Mutant(
        "K-1",
        f"{OPENAI}/settings.py",
        "commit_debounce: float = 0.4",
        "commit_debounce: float = 0.5",
    ),
    Mutant(
        "K-2",
        f"{OPENAI}/settings.py",
        "commit_max_wait: float = 0.6",
        "commit_max_wait: float = 0.8",
    ),
    Mutant(
        "K-3",
        f"{OPENAI}/settings.py",
        "    function_call_timeout = _seconds(\n        20.0",
        "    function_call_timeout = _seconds(\n        25.0",
    ),
    Mutant(
        "K-6",
        f"{OPENAI}/settings_mapping.py",
        "IDLE_TIMEOUT_MS = (5000, 30000)",
        "IDLE_TIMEOUT_MS = (4000, 30000)",
    ),
    Mutant(
        "K-5",
        f"{OPENAI}/audio_input.py",
        "for start in range(0, len(audio), MAX_APPEND):",
        "for start in range(0, len(audio) - 1, MAX_APPEND):",
    ),
    Mutant("K-9", f"{HOST}/talk/command.py", "default=20.0,", "default=30.0,"),
    Mutant(
        "K-7",
        f"{OPENAI}/function_calls.py",
        "        self._messages.function_call(call_id, name, arguments)\n",
        "        self._messages.function_call(call_id, name, arguments)\n"
        '        self._session.log.info("%s", arguments[:120])\n',
    ),
    Mutant(
        "K-10",
        f"{OPENAI}/settings.py",
        '"variables": ["OPENAI_REALTIME_URL"]',
        '"variables": ["OPENAI_URL"]',
    ),
    Mutant(
        "K-11",
        f"{HOST}/host_settings.py",
        "load_default=1000,",
        "load_default=10**9,",
    ),
    # Connection
    Mutant(
        "NET-7",
        f"{HOST}/guard.py",
        'for scheme in ("token", "bearer"):',
        'for scheme in ("token",):',
    ),
    Mutant(
        "NET-12",
        f"{OPENAI}/upstream.py",
        "if model and not _MODEL_GIVEN_BY &",
        "if model and _MODEL_GIVEN_BY &",
    ),
    Mutant(
        "NET-8",
        f"{OPENAI}/audio_input.py",
        "self._send(Text(append_event",
        "self._send(Binary(append_event",
    ),
    Mutant("NET-13", f"{OPENAI}/upstream.py", '("api-key", key)', '("x-api-key", key)'),
    Mutant("NET-5", f"{OPENAI}/settings.py", 'dial: str = "after"', 'dial: str = "before"'),
    Mutant(
        "NET-9",
        f"{HOST}/gate.py",
        "if isinstance(frame, Binary):\n            if frame.data:\n"
        "                self._in_turn(frame, None)  # audio",
        "if isinstance(frame, Binary) and frame.data[:1] != b'{':\n            if frame.data:\n"
        "                self._in_turn(frame, None)  # audio",
    ),
    Mutant("NET-1", f"{OPENAI}/__init__.py", '            "/openai",\n', '            "/",\n'),
    Mutant("NET-2", f"{HOST}/app.py", '"/health", _health', '"/healthz", _health'),
    Mutant(
        "NET-11",
        f"{HOST}/session.py",
        "waiting, frames = waiting + gate.bytes, frames + gate.frames",
        "frames += gate.frames",
    ),
    Mutant(
        "NET-12",
        f"{OPENAI}/upstream.py",
        "query = dict(parse_qsl(urlsplit(realtime_url(url, model)).query))",
        'query = {"model": model}',
    ),
    Mutant("NET-13", f"{OPENAI}/upstream.py", "sha256(user.encode()).hexdigest()", "user"),
    Mutant(
        "NET-13", f"{OPENAI}/upstream.py", "protocols=tuple(settings.subprotocols)", "protocols=()"
    ),
    # Settings
    Mutant(
        "SES-2",
        f"{OPENAI}/events.py",
        '"session.created": Ignored("Settings have not been applied by it (SES-2)")',
        '"session.created": Handled("setup.updated", "")',
    ),
    Mutant(
        "SES-3",
        f"{OPENAI}/messages.py",
        '{"type": "SettingsApplied"}',
        '{"type": "SettingsApplied", "session": {}}',
    ),
    Mutant(
        "SES-6",
        f"{OPENAI}/session_setup.py",
        "if self._state is not SetupState.SENT or self._plan is None:",
        "if self._plan is None:\n            self._messages.settings_applied()"
        "\n        if self._plan is None:",
    ),
    Mutant("SES-7", f"{HOST}/gate.py", "            self._repeated += 1", "            pass"),
    Mutant("SES-8", f"{OPENAI}/translator.py", "postpone=self.responses.running", "postpone=False"),
    Mutant(
        "SES-9",
        f"{OPENAI}/session_setup.py",
        'self._messages.say("assistant", plan.greeting)\n            self._messages.done()',
        'self._messages.say("assistant", plan.greeting)',
    ),
    Mutant(
        "SES-16", f"{OPENAI}/translator.py", "        self._messages.welcome()\n", "        pass\n"
    ),
    Mutant(
        "SES-19",
        f"{OPENAI}/session_updates.py",
        "self._messages.acknowledge(update.acknowledgement)",
        "pass",
    ),
    Mutant(
        "SES-20",
        f"{OPENAI}/session_updates.py",
        "        self._pending.pop(event_id, None)\n",
        "        pass\n",
    ),
    Mutant(
        "MAP-3",
        f"{OPENAI}/settings_mapping.py",
        '"assistant" if entry.get("role") == "assistant" else "user"',
        'text_at(entry, "role")',
    ),
    Mutant(
        "MAP-4",
        f"{OPENAI}/settings_mapping.py",
        "        blocks.append(TOOL_SENTENCE)",
        "        pass",
    ),
    Mutant(
        "MAP-9",
        f"{OPENAI}/settings_mapping.py",
        'tool["parameters"] = object_at(function, "parameters")',
        'tool["parameters"] = function.get("parameters")',
    ),
    Mutant(
        "MAP-11",
        f"{OPENAI}/settings_mapping.py",
        'for modality in ("audio", "text"):',
        'for modality in ("text", "audio"):',
    ),
    Mutant(
        "MAP-12",
        f"{OPENAI}/settings_mapping.py",
        'tokens if tokens <= MAX_OUTPUT_TOKENS else "inf"',
        "tokens",
    ),
    Mutant(
        "MAP-13",
        f"{OPENAI}/settings_mapping.py",
        'text_at(given, "id").strip()',
        'text_at(given, "id")',
    ),
    Mutant("MAP-14", f"{OPENAI}/voices.py", "SPEED[0] <= speed <= SPEED[1]", "SPEED[0] <= speed"),
    Mutant("MAP-17", f"{OPENAI}/voices.py", "if name.lower() in VOICES:", "if name:"),
    Mutant(
        "SES-17",
        f"{OPENAI}/session_setup.py",
        "            self._session.settings_refused(str(error))\n            return\n",
        "            return\n",
    ),
    Mutant("SES-18", f"{OPENAI}/session_setup.py", "            1011,\n", "            1000,\n"),
    Mutant(
        "SES-22",
        f"{OPENAI}/messages.py",
        '        if self.history:\n            self._send({"type": "History", "role"',
        '        if True:\n            self._send({"type": "History", "role"',
    ),
    Mutant(
        "MAP-2",
        f"{OPENAI}/settings_mapping.py",
        '        session["model"] = model',
        '        session["model"] = asked or model',
    ),
    Mutant(
        "MAP-5",
        f"{OPENAI}/settings_mapping.py",
        '"interrupt_response": True',
        '"interrupt_response": False',
    ),
    Mutant(
        "MAP-7",
        f"{OPENAI}/settings_mapping.py",
        'agent.get("useOpenAIManualAudioCommit") is True',
        'bool(agent.get("useOpenAIManualAudioCommit"))',
    ),
    Mutant(
        "MAP-10",
        f"{OPENAI}/settings_mapping.py",
        'if think.get("toolChoice") is not None:',
        'if isinstance(think.get("toolChoice"), str):',
    ),
    Mutant(
        "MAP-18",
        f"{OPENAI}/settings_mapping.py",
        'if "multi" in codes or not codes:',
        "if not codes:",
    ),
    Mutant(
        "MAP-19",
        f"{OPENAI}/audio_formats.py",
        'if encoding not in ("", "linear16", "mulaw", "alaw"):',
        'if encoding not in ("", "linear16", "mulaw", "alaw", "opus"):',
    ),
    Mutant(
        "MAP-20", f"{OPENAI}/settings.py", 'MODEL = "gpt-realtime-2.1"', 'MODEL = "gpt-realtime"'
    ),
    Mutant(
        "MAP-21",
        f"{OPENAI}/reading.py",
        "return found[0] if found else {}",
        "return found[-1] if found else {}",
    ),
    Mutant(
        "SES-1",
        f"{OPENAI}/session_setup.py",
        "        self._event_id = self._upstream.update_session(self._plan.session)\n",
        "        self._upstream.update_session(self._plan.session)\n"
        "        self._event_id = self._upstream.update_session(self._plan.session)\n",
    ),
    Mutant(
        "SES-5",
        f"{OPENAI}/session_setup.py",
        "            self._updates.updated()\n",
        "            self._updates.updated()\n            if self.applied:\n"
        "                self._messages.settings_applied()\n",
    ),
    Mutant(
        "SES-11",
        f"{OPENAI}/session_setup.py",
        "        if plan.greeting:  #",
        "        if plan.greeting:\n            self._messages.started_speaking(0, 0, 0)  #",
    ),
    Mutant(
        "SES-12",
        f"{OPENAI}/settings_mapping.py",
        "    if lines:\n",
        "    if lines and not prompt:\n",
    ),
    Mutant(
        "SES-14",
        f"{HOST}/gate.py",
        "        else:\n            self._confirm()\n",
        "        else:\n            self._progress = Progress.SENT\n            self._confirm()\n",
    ),
    Mutant(
        "SES-15",
        f"{HOST}/gate.py",
        '"INVALID_SETTINGS" if kind == "Settings" else "UNPARSABLE_CLIENT_MESSAGE"',
        '"UNPARSABLE_CLIENT_MESSAGE"',
    ),
    Mutant(
        "SES-19",
        f"{OPENAI}/session_updates.py",
        "                changes.setdefault(name, default)\n",
        "                pass\n",
    ),
    Mutant(
        "SES-21",
        f"{HOST}/gate.py",
        "        for frame, message in waiting:\n",
        "        for frame, message in waiting[1:]:\n",
    ),
    Mutant(
        "MAP-1",
        f"{OPENAI}/settings_mapping.py",
        '{"type": "realtime", **think_options(agent, think)}',
        "{**think_options(agent, think)}",
    ),
    Mutant(
        "MAP-8",
        f"{OPENAI}/settings_mapping.py",
        '"format": source.native.described()',
        '"format": source.described()',
    ),
    Mutant(
        "MAP-15",
        f"{OPENAI}/settings_mapping.py",
        '    session["audio"] = {\n',
        '    session["temperature"] = 0.8\n    session["audio"] = {\n',
    ),
    Mutant(
        "MAP-16",
        f"{OPENAI}/settings_mapping.py",
        '    agent = object_at(message, "agent")\n',
        '    agent = message["agent"]\n',
    ),
    Mutant(
        "MAP-17",
        f"{OPENAI}/voices.py",
        "asked = asked or any(names)",
        "asked = asked or bool(names[1])",
    ),
    Mutant(
        "MAP-18",
        f"{OPENAI}/settings_mapping.py",
        '        prompt.append(", ".join(keyterms))\n',
        "        pass\n",
    ),
    Mutant(
        "MAP-19",
        f"{OPENAI}/voices.py",
        'if container not in ("", "none", "wav"):',
        'if container not in ("", "none", "wav", "ogg"):',
    ),
    # Text turns
    Mutant("TXT-1", f"{OPENAI}/translator.py", "        self._dialogue.typed(text)\n", ""),
    Mutant(
        "TXT-4",
        f"{OPENAI}/items.py",
        "            if pending.is_meant_by(item):",
        "            if item_id and pending.is_meant_by(item):",
    ),
    Mutant(
        "TXT-8",
        f"{OPENAI}/items.py",
        "self._session.later(self._timeout, lambda: self._overdue(item_id))",
        "self._session.later(1e9, lambda: self._overdue(item_id))",
    ),
    Mutant(
        "TXT-11",
        f"{OPENAI}/items.py",
        "                pending.timer.cancel()\n                self._gate.settle_item(item_id)\n",
        "                pending.timer.cancel()\n",
    ),
    Mutant(
        "TXT-12",
        f"{OPENAI}/translator.py",
        "            self.gate.refused(error.event_id)",
        "            pass",
    ),
    Mutant(
        "TXT-13", f"{OPENAI}/translator.py", "            self.gate.failed(error.event_id)\n", ""
    ),
    Mutant(
        "TXT-14",
        f"{OPENAI}/response_gate.py",
        "return bool(metadata[MARK] == self._in_flight)",
        "return True",
    ),
    Mutant(
        "TXT-3",
        f"{OPENAI}/items.py",
        "self._pending.pop(item_id)\n        pending.timer",
        "self._pending[item_id]\n        pending.timer",
    ),
    Mutant(
        "TXT-5",
        f"{OPENAI}/function_calls.py",
        "        self.items.expect(sent, lambda: self._confirmed(call.batch), call_id=call.id)",
        "        self._confirmed(call.batch)",
    ),
    Mutant(
        "TXT-15",
        f"{OPENAI}/client_events.py",
        'ITEM_PREFIX = "vp_item_"',
        'ITEM_PREFIX = "voiceproxy_conversation_item_id_"',
    ),
    Mutant(
        "TXT-6",
        f"{HOST}/gate.py",
        'if self._component and isinstance(frame, Text) and frame.type == "InjectUserMessage":',
        "if False:",
    ),
    Mutant(
        "TXT-10",
        f"{OPENAI}/response_gate.py",
        "        self._unconfirmed.add(item_id)\n",
        "        self._unconfirmed = {item_id}\n",
    ),
    # Microphone
    Mutant(
        "AUD-1",
        f"{HOST}/gate.py",
        "            self._rest.append((frame, message))",
        "            pass",
    ),
    Mutant("AUD-5", f"{OPENAI}/microphone.py", "size = self._input.flush()", "size = 0"),
    Mutant(
        "AUD-9", f"{OPENAI}/manual_commits.py", "            self._gate.want()", "            pass"
    ),
    Mutant(
        "AUD-14",
        f"{OPENAI}/manual_commits.py",
        "self._pad(self._bytes(self._settings.commit_min_audio))",
        "pass",
    ),
    Mutant(
        "AUD-15",
        f"{OPENAI}/manual_commits.py",
        "            self._pad(self._least)\n            self._commit()",
        "            self._commit()",
    ),
    Mutant(
        "AUD-16",
        f"{OPENAI}/manual_commits.py",
        "if self._pending and not self._gate.busy:",
        "if self._pending:",
    ),
    Mutant(
        "AUD-17",
        f"{OPENAI}/audio_input.py",
        "MAX_APPEND = 15 * 1024 * 1024",
        "MAX_APPEND = 16 * 1024 * 1024",
    ),
    Mutant(
        "AUD-21",
        f"{OPENAI}/audio_pace.py",
        "if nearest and self._windows == WINDOWS:",
        "if nearest and self._windows >= 1:",
    ),
    Mutant(
        "TXT-7",
        f"{HOST}/gate.py",
        "        if self._progress is APPLIED:\n            self._translator",
        "        if self._progress is not Progress.AWAITED:\n            self._translator",
    ),
    Mutant(
        "AUD-4",
        f"{OPENAI}/session_setup.py",
        "COMPONENT_RATE, AGENT_RATE = 16000, 24000",
        "COMPONENT_RATE, AGENT_RATE = 24000, 24000",
    ),
    Mutant(
        "AUD-11",
        f"{OPENAI}/manual_commits.py",
        "        self._longest = None\n        self._consider()",
        "        self._longest = None",
    ),
    Mutant(
        "AUD-13",
        f"{OPENAI}/manual_commits.py",
        "        self._pending = 0\n        self._committed_before = True",
        "        self._committed_before = True",
    ),
    Mutant(
        "AUD-19",
        f"{OPENAI}/client_events.py",
        '"type": "input_audio_buffer.commit"',
        '"type": "input_audio_buffer.clear"',
    ),
    Mutant(
        "AUD-20",
        f"{OPENAI}/resampling.py",
        "return 24, 0.9375, 4.7",
        "return 24, 1.3, 4.7",
    ),
    Mutant(
        "AUD-2",
        f"{OPENAI}/session_setup.py",
        "        self._timer = self._session.later(self._settings.session_timeout",
        "        self._configure(self._plan)\n"
        '        self._session.to_client({"type": "SettingsApplied"})\n'
        "        self._timer = self._session.later(self._settings.session_timeout",
    ),
    Mutant(
        "AUD-3",
        f"{OPENAI}/audio_input.py",
        "pybase64.b64encode(audio)",
        "pybase64.b64encode(audio[2:])",
    ),
    Mutant(
        "AUD-7",
        f"{OPENAI}/microphone.py",
        "        if not plan.manual_commit:\n",
        "        if False:\n",
    ),
    Mutant(
        "AUD-8", f"{OPENAI}/settings_mapping.py", "manual_commit=manual,", "manual_commit=False,"
    ),
    Mutant(
        "AUD-12",
        f"{OPENAI}/manual_commits.py",
        "            self._commit()\n            self._gate.want()\n",
        "            self._commit()\n            self._gate.want()\n"
        "            self._gate.want()\n",
    ),
    Mutant(
        "AUD-18",
        f"{OPENAI}/events.py",
        '"input_audio_buffer.cleared": Ignored("nothing is cleared")',
        '"input_audio_buffer.cleared": Handled("speech.stopped", "")',
    ),
    Mutant(
        "AUD-5",
        f"{OPENAI}/resampling.py",
        "return min(16, lower * 3 // 2000), 1.0, 5.0",
        "return 48, 1.0, 5.0",
    ),
    Mutant(
        "AUD-21",
        f"{OPENAI}/audio_pace.py",
        '    fixes[8000] = "Declare mulaw or alaw at 8000 Hz."\n',
        "",
    ),
    # Speech events
    Mutant("TRN-1", f"{OPENAI}/speech.py", "        self._messages.user_started_speaking()\n", ""),
    Mutant(
        "TRN-6",
        f"{OPENAI}/transcripts.py",
        'self._interim[item_id] = self._interim.get(item_id, "") + words',
        "self._interim[item_id] = words",
    ),
    Mutant(
        "TRN-7",
        f"{OPENAI}/transcripts.py",
        '        item_id = text_at(event, "item_id")\n        self._interim.pop(item_id, None)\n',
        '        item_id = text_at(event, "item_id")\n',
    ),
    Mutant(
        "TRN-9",
        f"{OPENAI}/dialogue.py",
        "if self._held or after & self._unwritten.keys():",
        "if self._held:",
    ),
    Mutant("TRN-10", f"{OPENAI}/dialogue.py", "if words.strip():", "if words:"),
    Mutant(
        "TRN-11",
        f"{OPENAI}/transcripts.py",
        "        if item_id in self._ignored:\n            return\n",
        "",
    ),
    Mutant("TRN-4", f"{OPENAI}/transcripts.py", '"speech_final": final', '"speech_final": False'),
    Mutant(
        "TRN-5",
        f"{OPENAI}/transcripts.py",
        'return [_alternative(given, "") for given',
        'return [_alternative({}, "") for given',
    ),
    Mutant(
        "TRN-9",
        f"{OPENAI}/translator.py",
        'self._dialogue.transcribed = plan.session["audio"]["input"]["transcription"] is not None',
        "self._dialogue.transcribed = False",
    ),
    Mutant(
        "TRN-3",
        f"{OPENAI}/speech.py",
        "        self._end_turn()\n        self._responses.turn_ended()\n",
        "        self._end_turn()\n"
        '        self._messages.transcript({"type": "UserStoppedSpeaking"})\n'
        "        self._responses.turn_ended()\n",
    ),
    Mutant(
        "TRN-8",
        f"{OPENAI}/settings_mapping.py",
        '"transcription": transcription(agent, settings),',
        '"transcription": None if manual else transcription(agent, settings),',
    ),
    # Output
    Mutant(
        "OUT-1", f"{OPENAI}/audio_output.py", "MAX_FRAME = 32 * 1024", "MAX_FRAME = 32 * 1024 + 1"
    ),
    Mutant(
        "OUT-6",
        f"{OPENAI}/output.py",
        "        if item_id in self._said_items:\n            return True\n",
        "",
    ),
    Mutant(
        "OUT-7",
        f"{OPENAI}/output.py",
        'text_at(part, "text") or text_at(part, "transcript")',
        'text_at(part, "text")',
    ),
    Mutant(
        "OUT-8",
        f"{OPENAI}/output.py",
        'elif item.get("role", "assistant") == "assistant":',
        "else:",
    ),
    Mutant(
        "OUT-9",
        f"{OPENAI}/output.py",
        "        for item_id, parts in response.items.items():\n"
        "            self._say(response, item_id, _joined(parts))\n",
        "",
    ),
    Mutant("OUT-15", f"{OPENAI}/speech.py", "        self._responses.interrupt()\n", ""),
    Mutant(
        "OUT-19",
        f"{OPENAI}/output.py",
        "if response.state is ResponseState.INTERRUPTED and not response.speaking:",
        "if False:",
    ),
    Mutant(
        "OUT-21",
        f"{OPENAI}/responses.py",
        "now - response.turn_ended, now - first, first - response.turn_ended",
        "now - response.turn_ended, now - first, now - response.turn_ended",
    ),
    Mutant(
        "OUT-24",
        f"{OPENAI}/responses.py",
        "            self._over.add(response.id)\n",
        "            pass\n",
    ),
    Mutant(
        "OUT-2",
        f"{OPENAI}/output.py",
        "        if response is not None and response.audio is not None:\n            frames",
        "        if response is not None and response.audio is not None:\n"
        "            self._responses.end(response)\n            frames",
    ),
    Mutant(
        "OUT-3",
        f"{OPENAI}/output.py",
        "        if response is not None and response.state is ResponseState.RUNNING:\n"
        "            self._responses.start_speaking(response)",
        "        if response is None:\n            return",
    ),
    Mutant(
        "OUT-4",
        f"{OPENAI}/output.py",
        "if response is not None and not response.created:",
        "if response is not None:",
    ),
    Mutant(
        "OUT-5",
        f"{OPENAI}/output.py",
        '        self._part_done(event, "transcript")',
        "        pass",
    ),
    Mutant(
        "OUT-11",
        f"{OPENAI}/output.py",
        "        self._responses.start_speaking(response)\n        response.said.add",
        "        response.said.add",
    ),
    Mutant(
        "DEF-11",
        f"{OPENAI}/responses.py",
        "        if response.state is ResponseState.DONE:\n"
        "            response.state = ResponseState.FINISHED",
        "        if True:\n            response.state = ResponseState.FINISHED",
    ),
    Mutant(
        "OUT-16",
        f"{OPENAI}/responses.py",
        "        response.created = True\n",
        "        response.created = True\n        self._messages.thinking()\n",
    ),
    Mutant(
        "OUT-20",
        f"{OPENAI}/audio_output.py",
        'audio, self._header = self._header + audio, b""',
        "audio = self._header + audio",
    ),
    Mutant(
        "OUT-22",
        f"{OPENAI}/responses.py",
        "        if not response_id and self._open:\n",
        "        if False:\n",
    ),
    Mutant(
        "OUT-23",
        f"{OPENAI}/responses.py",
        "        self._upstream.cancel_response(response.id)\n        self._abandon(response)",
        "        self._abandon(response)",
    ),
    Mutant(
        "OUT-10",
        f"{OPENAI}/responses.py",
        "        self._gate.response_began(response.key, given)\n",
        "        pass\n",
    ),
    Mutant(
        "OUT-13",
        f"{OPENAI}/responses.py",
        "            self._messages.done()\n",
        "            self._messages.done()\n            self._messages.done()\n",
    ),
    Mutant(
        "OUT-14",
        f"{OPENAI}/translator.py",
        "        self.responses.turn_ended()\n"
        "        self.items.expect(sent, self.gate.want, text=text)\n",
        "        self.responses.turn_ended()\n        self._messages.thinking()\n"
        "        self.items.expect(sent, self.gate.want, text=text)\n",
    ),
    Mutant(
        "OUT-20",
        f"{OPENAI}/resampling.py",
        "return lower // 500, 0.925, 3.5",
        "return lower // 500, 0.85, 3.5",
    ),
    # Function calls
    Mutant(
        "FCT-1",
        f"{OPENAI}/function_calls.py",
        'if item.get("status", "completed") == "completed":',
        "if True:",
    ),
    Mutant(
        "FCT-3",
        f"{OPENAI}/function_calls.py",
        "            self._messages.thinking()\n",
        "            pass\n",
    ),
    Mutant(
        "FCT-4",
        f"{OPENAI}/function_calls.py",
        '    if content:\n        return content\n    if message.get("error")',
        '    if message.get("error")',
    ),
    Mutant(
        "FCT-7",
        f"{OPENAI}/function_calls.py",
        "            self._responses.give_up(batch.response)",
        "            pass",
    ),
    Mutant(
        "FCT-15",
        f"{OPENAI}/function_calls.py",
        "            call.state = CallState.CANCELLED",
        "            pass",
    ),
    Mutant(
        "FCT-16",
        f"{OPENAI}/function_calls.py",
        "                call.state = CallState.OVERDUE",
        "                pass",
    ),
    Mutant(
        "FCT-2",
        f"{OPENAI}/messages.py",
        '{"type": "FunctionCallRequest", "functions": [call]}',
        '{"type": "FunctionCallRequest", "functions": [call, call]}',
    ),
    Mutant("FCT-6", f"{OPENAI}/response_gate.py", "                self._wanted = False\n", ""),
    Mutant(
        "FCT-17",
        f"{OPENAI}/items.py",
        'error.code == "invalid_tool_call_id" and pending.call_id',
        "False",
    ),
    Mutant(
        "FCT-8", f"{OPENAI}/session_setup.py", "        if not postpone:\n", "        if True:\n"
    ),
    Mutant(
        "FCT-10",
        f"{OPENAI}/translator.py",
        "        elif error.code == ALREADY_ACTIVE:",
        "        elif False:",
    ),
    Mutant(
        "FCT-11",
        f"{HOST}/gate.py",
        "        else:\n            self._wait(frame, message)\n",
        '        elif message is None or "id" not in message:\n'
        "            self._wait(frame, message)\n        else:\n"
        "            self._translator.client_frame(frame, message)\n",
    ),
    Mutant(
        "FCT-13",
        f"{OPENAI}/function_calls.py",
        "        batch.owed = not batch.cancelled\n",
        "        batch.owed = False\n",
    ),
    Mutant(
        "FCT-14",
        f"{OPENAI}/function_calls.py",
        "        self._asked.add(call_id)\n",
        '        self._asked.add(call_id)\n        self._messages.error("", "")\n',
    ),
    # Client messages
    Mutant(
        "MSG-1",
        f"{OPENAI}/translator.py",
        '    "UpdateListen": attrgetter("updates.listen"),\n',
        "",
    ),
    Mutant(
        "MSG-3", f"{HOST}/gate.py", "f\"Allowed: {', '.join(allowed)}. KeepAlive", 'f"KeepAlive'
    ),
    Mutant(
        "MSG-7",
        f"{OPENAI}/agent_messages.py",
        'if behavior != "interrupt" and self.user_speaks():',
        "if False:",
    ),
    Mutant("MSG-8", f"{HOST}/gate.py", "        return not problems", "        return True"),
    Mutant("MSG-9", f"{HOST}/gate.py", "if is_audio and self._told_of_audio:", "if False:"),
    Mutant(
        "MSG-4",
        f"{OPENAI}/settings.py",
        "pass_unknown_messages: bool = False",
        "pass_unknown_messages: bool = True",
    ),
    Mutant("MSG-10", f"{HOST}/gate.py", "                NORMAL,\n", "                1011,\n"),
    Mutant("MSG-5", f"{HOST}/gate.py", "        return kind in accepts\n", "        return True\n"),
    Mutant(
        "MSG-6",
        f"{HOST}/gate.py",
        "    if not isinstance(message, dict):\n",
        "    if message is not None and not isinstance(message, dict):\n",
    ),
    # Upstream events
    Mutant("EVT-3", f"{OPENAI}/translator.py", "            self._junk_reported = True\n", ""),
    Mutant(
        "EVT-5",
        f"{OPENAI}/events.py",
        '    "response.audio.delta": "response.output_audio.delta",\n',
        "",
    ),
    Mutant(
        "EVT-6",
        f"{OPENAI}/audio_output.py",
        "except (binascii.Error, ValueError) as error:",
        "except KeyError as error:",
    ),
    Mutant(
        "EVT-4",
        f"{OPENAI}/events.py",
        '"rate_limits.updated": Ignored("the operator\'s business, not the client\'s"),\n',
        "",
    ),
    Mutant(
        "EVT-1",
        f"{OPENAI}/translator.py",
        "else lambda _: _ignore",
        "else lambda it: it._session.log.info",
    ),
    # Errors
    Mutant(
        "ERR-1",
        f"{OPENAI}/errors.py",
        'RENAMED.get(kind) or code or "unknown"',
        "RENAMED.get(kind) or code",
    ),
    Mutant("ERR-4", f"{OPENAI}/errors.py", '"response_cancel_not_active", ', ""),
    Mutant("ERR-6", f"{OPENAI}/upstream_end.py", "    if not ready:", "    if False:"),
    Mutant("ERR-9", f"{OPENAI}/errors.py", '"session_expired": "session_max_duration", ', ""),
    Mutant("ERR-11", f"{OPENAI}/errors.py", 'return _KEYS.sub("[key]", text)', "return text"),
    Mutant(
        "ERR-2",
        f"{OPENAI}/translator.py",
        'self._session.log.error("the upstream reports an error',
        'self._session.log.info("the upstream reports an error',
    ),
    Mutant(
        "ERR-5",
        f"{OPENAI}/response_gate.py",
        "if self._in_flight and event_id == self._in_flight:",
        "if self._in_flight:",
    ),
    Mutant("ERR-7", f"{HOST}/dial.py", "if status in (401, 403):", "if status == 401:"),
    Mutant(
        "ERR-8",
        f"{OPENAI}/errors.py",
        'text_at(inner, "code") or text_at(event, "code")',
        'str(inner.get("code"))',
    ),
    # Closing
    Mutant(
        "CLS-1",
        f"{OPENAI}/upstream_end.py",
        "session.close(code, reason)",
        "session.close(1000, reason)",
    ),
    Mutant(
        "CLS-2",
        f"{HOST}/ending.py",
        "core.upstream.put_close(Close(NORMAL) if close.code == ABNORMAL else close)",
        "core.upstream.put_close(Close(NORMAL))",
    ),
    Mutant(
        "CLS-1",
        f"{OPENAI}/upstream_end.py",
        "    elif close.code in _ORDINARY:",
        "    else:\n        session.close(code, reason)\n        return\n    if False:",
    ),
    Mutant(
        "CLS-3",
        f"{HOST}/ending.py",
        "Close(NORMAL) if close.code == ABNORMAL",
        "Close(INTERNAL_ERROR) if close.code == ABNORMAL",
    ),
    Mutant(
        "CLS-4",
        f"{OPENAI}/upstream_end.py",
        "_ORDINARY = (1000, 1001, 1005)",
        "_ORDINARY = (1000, 1001, 1005, 1006)",
    ),
    # The command line's client
    Mutant(
        "CLI-3",
        f"{HOST}/talk/command.py",
        'parser.error("nothing to say: give --text, --audio or --mic, or lines on standard input")',
        "pass",
    ),
    Mutant(
        "CLI-2",
        f"{HOST}/talk/conversation.py",
        '{"type": "InjectUserMessage", "content": line}',
        '{"type": "InjectUserMessage", "content": ""}',
    ),
    Mutant(
        "CLI-4",
        f"{HOST}/talk/conversation.py",
        'self._fail(f"the agent reports an error',
        'self._note(f"the agent reports an error',
    ),
    Mutant("CLI-5", f"{HOST}/talk/sound.py", "        self._silent = True\n", ""),
    # Defects of the reference implementation
    Mutant("DEF-8", f"{OPENAI}/items.py", "        if self._keeps_ids:", "        if False:"),
    Mutant(
        "DEF-13",
        f"{OPENAI}/session_setup.py",
        "        self._stop()\n        self._state = SetupState.AWAITED\n",
        "        self._stop()\n",
    ),
    Mutant(
        "DEF-14",
        f"{OPENAI}/responses.py",
        'if status not in ("failed", "incomplete"):',
        'if status not in ("failed",):',
    ),
    Mutant("DEF-17", f"{OPENAI}/memory.py", "if len(self._ids) > self._size:", "if False:"),
    Mutant(
        "DEF-27",
        f"{OPENAI}/function_calls.py",
        'for key in (text_at(item, "call_id"), text_at(item, "id")):',
        'for key in (text_at(item, "call_id"),):',
    ),
    Mutant(
        "DEF-29",
        f"{OPENAI}/function_calls.py",
        "if call is None or call.state is CallState.ANSWERED:",
        "if call is None:",
    ),
    Mutant(
        "DEF-30",
        f"{OPENAI}/responses.py",
        "if not self.calls.response_ended(response, cancelled=cancelled):",
        "self.calls.response_ended(response, cancelled=cancelled)\n        if True:",
    ),
    Mutant(
        "DEF-1",
        f"{OPENAI}/audio_input.py",
        "yield Text(append_event(audio[start : start + MAX_APPEND]))",
        "yield Text(append_event(audio))",
    ),
    Mutant(
        "DEF-2",
        f"{HOST}/gate.py",
        'not self._is_allowed(message["type"]) or not self._is_valid(frame, message)',
        'not self._is_allowed(message["type"])',
    ),
    Mutant(
        "DEF-4",
        f"{OPENAI}/response_gate.py",
        "            self._wanted = True  # the second",
        "            pass  # the second",
    ),
    Mutant("DEF-7", f"{OPENAI}/items.py", "        self._gate.await_item(item_id)", "        pass"),
    Mutant(
        "DEF-10",
        f"{OPENAI}/responses.py",
        "        response.speaking = True",
        "        response.speaking = False",
    ),
    Mutant(
        "DEF-11",
        f"{OPENAI}/output.py",
        "        self._said_items.add(item_id)\n        if text in",
        "        if text in",
    ),
    Mutant(
        "DEF-12",
        f"{OPENAI}/translator.py",
        "            error, self._held_idle_timeout = self._held_idle_timeout, None\n",
        "            error = self._held_idle_timeout\n",
    ),
    Mutant(
        "DEF-15",
        f"{OPENAI}/errors.py",
        "RENAMED.get(code) or RENAMED.get(kind) or",
        "RENAMED.get(kind) or",
    ),
    Mutant(
        "DEF-20",
        f"{HOST}/frames.py",
        "return Close(_legal_code(self.code), reason)",
        "return Close(self.code, reason)",
    ),
    Mutant(
        "DEF-22",
        f"{OPENAI}/settings_mapping.py",
        'language or text_at(agent, "language") or',
        "language or",
    ),
    Mutant(
        "DEF-23",
        f"{OPENAI}/settings_mapping.py",
        '    return model if _CONVERSES.search(model) else ""',
        "    return model",
    ),
    Mutant(
        "DEF-24",
        f"{OPENAI}/manual_commits.py",
        "            self._commit()\n\n    def _pad",
        "            self._commit()\n            self._gate.want()\n\n    def _pad",
    ),
    Mutant(
        "DEF-32",
        f"{OPENAI}/microphone.py",
        "        size = self._input.feed(data)\n",
        '        size = self._input.feed(data)\n        self._session.log.debug("audio")\n',
    ),
    Mutant("DEF-3", f"{HOST}/gate.py", "        if problem:\n", "        if False:\n"),
    Mutant(
        "DEF-6",
        f"{OPENAI}/response_gate.py",
        "        self._active.add(response_id)\n",
        "        pass\n",
    ),
    Mutant(
        "DEF-9",
        f"{HOST}/dial.py",
        "        raise _refused(Answer(error.status), where) from None\n",
        '        raise _unreachable("", where) from None\n',
    ),
    Mutant(
        "DEF-18",
        f"{HOST}/dial.py",
        "ssl=upstream.ssl if upstream.ssl is not None else True",
        "ssl=upstream.ssl if upstream.ssl is not None else False",
    ),
    Mutant(
        "DEF-19",
        f"{HOST}/ending.py",
        "        if self._core.client.overflowing:\n",
        "        if False:\n",
    ),
    Mutant(
        "DEF-21",
        f"{HOST}/guard.py",
        "        if origin is not None and not self._origin_is_allowed(origin, host):\n",
        "        if False:\n",
    ),
    Mutant(
        "DEF-28",
        f"{HOST}/ending.py",
        'SessionError("internal_error", "The proxy failed.", INTERNAL_ERROR)',
        'SessionError("internal_error", "The proxy failed.")',
    ),
    Mutant(
        "DEF-31",
        f"{HOST}/serve.py",
        "        await clean_up(runner, settings)\n    return 0\n",
        "        await clean_up(runner, settings)\n    return 1\n",
    ),
    Mutant(
        "CLS-7",
        f"{HOST}/turn.py",
        'Close(GOING_AWAY, "the proxy is',
        'Close(1000, "the proxy is',
    ),
    Mutant(
        "OUT-17",
        f"{HOST}/session.py",
        'The client closed, or is gone (1006)."""\n        self.client.clear()',
        'The client closed, or is gone (1006)."""',
    ),
    # What stands elsewhere
    Mutant(
        "RUN-3", f"{HOST}/host_settings.py", 'load_default="127.0.0.1"', 'load_default="0.0.0.0"'
    ),
    Mutant("BKD-1", f"{HOST}/app.py", '"/ready", _ready', '"/readyz", _ready'),
    Mutant(
        "LOG-3",
        f"{HOST}/introduction.py",
        "(self._format if args else self._prefix) + str(msg)",
        "str(msg)",
    ),
)
"""As many of these as there are in the core are picked by a seed."""
