"""Which trace a session belongs to."""

import pytest

from voiceproxy_logging.trace import Trace, trace_id_of, trace_of

ID = "8f14e45fceea167a5a36dedd4bea2543"
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    ("correlation", "trace_id"),
    [
        ("c1", "d0f631ca1ddba8db3bcfcb9e057cdc98"),
        (ID, ID),
        (ID.upper(), ID),
        ("8f14e45f-ceea-167a-5a36-dedd4bea2543", ID),
        ("0" * 32, "84e0c0eafaa95a34c293f278ac52e45c"),
        (ID + "0", "457e5c2017bb43d1aa9df11e4d9c63cb"),
        ("g" + ID[:-1], "3e692effc35365d3bd3f538cbba2e2f1"),
        ("Grüße", "f83e039796c6453a10f5519e39fd1139"),
    ],
)
def test_a_correlation_gives_the_same_trace_id_everywhere_log_5(correlation, trace_id):
    assert trace_id_of(correlation) == trace_id


@pytest.mark.parametrize("traceparent", [PARENT, f" {PARENT} ", f"cc-{TRACE}-{SPAN}-01-more"])
def test_a_session_joins_the_trace_of_its_traceparent(traceparent):
    assert trace_of(ID, "c1", traceparent) == Trace(TRACE, ID[:16], SPAN, 1)


def test_the_callers_decision_not_to_sample_is_kept():
    assert trace_of(ID, "c1", PARENT[:-1] + "0").flags == 0


@pytest.mark.parametrize(
    "traceparent",
    [
        None,
        "",
        "junk",
        PARENT.upper(),
        PARENT + "-more",
        "ff" + PARENT[2:],
        PARENT[:-1],
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
    ],
)
def test_a_traceparent_that_is_not_valid_counts_as_none(traceparent):
    assert trace_of(ID, "c1", traceparent) == Trace("d0f631ca1ddba8db3bcfcb9e057cdc98", ID[:16])


def test_two_sessions_of_one_correlation_share_the_trace_and_not_the_span():
    first, second = trace_of(ID, "c1", None), trace_of(ID[::-1], "c1", None)
    assert first.trace_id == second.trace_id
    assert first.span_id != second.span_id


def test_a_span_id_is_never_all_zeros():
    assert trace_of("0" * 32, "c1", None).span_id.strip("0")
