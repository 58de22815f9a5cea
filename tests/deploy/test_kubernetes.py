"""The manifest in ``deploy/`` is valid, and what it says of voiceproxy is true."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import kubernetes_validate
import pytest
import yaml
from daemons import Instance, daemon
from fronts import DEPLOY
from image import entry_point

from voiceproxy.host_settings import HostSettingsSchema
from voiceproxy.serve import LINGER, SHUTDOWN_TIMEOUT

VERSIONS = ("1.28", kubernetes_validate.latest_version())
MANIFEST = DEPLOY / "kubernetes.yaml"
OBJECTS: dict[str, dict[str, Any]] = {
    one["kind"]: one for one in yaml.safe_load_all(MANIFEST.read_text())
}
POD: dict[str, Any] = OBJECTS["Deployment"]["spec"]["template"]
[CONTAINER] = POD["spec"]["containers"]
GIVEN: dict[str, str] = {one["name"]: one["value"] for one in CONTAINER["env"] if "value" in one}
PROBES: list[str] = [kind for kind in CONTAINER if kind.endswith("Probe")]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", OBJECTS)
def test_every_object_fits_its_schema_with_no_field_unknown(kind: str, version: str):
    kubernetes_validate.validate(OBJECTS[kind], version, strict=True)


def test_the_objects_belong_together():
    labels = POD["metadata"]["labels"]
    assert OBJECTS["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert OBJECTS["Service"]["spec"]["selector"] == labels
    assert OBJECTS["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    target = OBJECTS["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", _name("Deployment"))
    [volume] = POD["spec"]["volumes"]
    assert volume["configMap"]["name"] == _name("ConfigMap")
    [mount] = CONTAINER["volumeMounts"]
    assert (mount["name"], mount["mountPath"]) == (volume["name"], GIVEN["PYTHONPATH"])


def test_the_kubelet_waits_as_long_as_an_instance_may_take_to_stop():
    loads = HostSettingsSchema().fields
    close, hook = loads["close_timeout"].load_default, loads["hook_timeout"].load_default
    stop = 3 * close + hook + close  # the goodbyes, and the aborts of those who say none
    stop += SHUTDOWN_TIMEOUT + hook + LINGER  # plain requests, contexts and threads of plugins
    [_, seconds] = CONTAINER["lifecycle"]["preStop"]["exec"]["command"]
    needed = float(seconds) + float(GIVEN["VOICEPROXY_DRAIN_TIMEOUT"]) + stop
    assert needed < POD["spec"]["terminationGracePeriodSeconds"] <= needed + 15


def test_the_variables_are_settings():
    known = {f"VOICEPROXY_{name}".upper() for name in HostSettingsSchema().fields}
    assert set(GIVEN) - known == {"PYTHONPATH"}


def test_there_are_more_pods_before_those_there_are_full():
    [metric] = OBJECTS["HorizontalPodAutoscaler"]["spec"]["metrics"]
    wanted = int(metric["pods"]["target"]["averageValue"])
    assert wanted <= 0.75 * int(GIVEN["VOICEPROXY_MAX_SESSIONS"])


def test_the_memory_is_enough_for_sessions_whose_queues_are_full():
    loads = HostSettingsSchema().fields
    queues = loads["client_buffer"].load_default + loads["upstream_buffer"].load_default
    assert CONTAINER["resources"]["limits"]["memory"] == "2Gi"
    assert int(GIVEN["VOICEPROXY_MAX_SESSIONS"]) * queues < 0.9 * 2 * 1024**3


async def test_the_probes_and_the_metric_answer_under_a_pods_address(tmp_path: Path):
    """The container's arguments and variables, with an upstream that needs no key."""
    for name, text in OBJECTS["ConfigMap"]["data"].items():
        (tmp_path / name).write_text(text)
    argv = [*entry_point(), *CONTAINER["args"], "--plugin", "simulator", "--port", "0"]
    variables = {**GIVEN, "PYTHONPATH": str(tmp_path)}
    pod = {"Host": "10.1.2.3:8080"}
    with daemon(*argv, directory=tmp_path, kind=Instance, **variables) as running:
        running.wait_for("voiceproxy listening on http://0.0.0.0")
        url = f"http://127.0.0.1:{running.port}"
        async with aiohttp.ClientSession(url, headers=pod) as kubelet:
            for probe in PROBES:
                async with kubelet.get(CONTAINER[probe]["httpGet"]["path"]) as answer:
                    assert answer.status == 200
            assert await _scraped(kubelet) == ["voiceproxy_sessions 0"]
            async with kubelet.ws_connect("/openai"):
                assert await _scraped(kubelet) == ["voiceproxy_sessions 1"]


async def _scraped(prometheus: aiohttp.ClientSession) -> list[str]:
    annotations = POD["metadata"]["annotations"]
    [port] = CONTAINER["ports"]
    assert annotations["prometheus.io/port"] == str(port["containerPort"])
    async with prometheus.get(annotations["prometheus.io/path"]) as answer:
        lines = (await answer.text()).splitlines()
    return [line for line in lines if not line.startswith("#")]


def _name(kind: str) -> str:
    return str(OBJECTS[kind]["metadata"]["name"])
