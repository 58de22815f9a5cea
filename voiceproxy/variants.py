"""What an endpoint is for one request: the variant its query asks for, in the dialect set."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from voiceproxy.errors import PluginFault, Refuse

if TYPE_CHECKING:
    from multidict import MultiMapping

    from voiceproxy.backend import Endpoint

Unserved = Refuse | PluginFault
"""Why no variant answers."""


def variant_of(
    endpoint: Endpoint, query: MultiMapping[str], dialect: Any
) -> tuple[Endpoint, Unserved | None]:
    """The endpoint that answers such a query; else the one that was asked, and why not."""
    if endpoint.variant is None:
        return endpoint, None
    try:
        return with_dialect(endpoint.variant(query), dialect), None
    except Refuse as refuse:
        return endpoint, refuse
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - its plugin is named when it is told
        fault = PluginFault(endpoint.name, "its variant")
        fault.__cause__ = error
        return endpoint, fault


def with_dialect(endpoint: Endpoint, dialect: Any) -> Endpoint:
    """The endpoint, speaking the dialect of the setting if it is set."""
    if dialect is None or endpoint.protocol != "agent":
        return endpoint
    return replace(endpoint, dialect=dialect)
