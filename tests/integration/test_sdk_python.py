"""The real deepgram-sdk, told nothing but another address, holds its conversations with us.

Every call is the SDK's own and every message arrives as one of the SDK's own types.
"""

from __future__ import annotations

import asyncio
import json
import threading
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import groupby
from typing import Any

import pytest
from caller import WEATHER, in_frames, speech
from conftest import House, OpenHouse
from deepgram import AsyncDeepgramClient, DeepgramClient
from deepgram.agent.v1 import types as sdk
from deepgram.core.api_error import ApiError
from deepgram.core.events import EventType
from deepgram.environment import DeepgramClientEnvironment
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK

with warnings.catch_warnings():
    # The SDK imports a module that websockets deprecates.
    warnings.filterwarnings("ignore", "websockets.legacy is deprecated", DeepgramDeprecation)
    from deepgram.agent.v1.client import AsyncV1Client, V1Client  # noqa: F401
