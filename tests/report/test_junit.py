"""JUnit XML: valid by the usual schema, one case a gate, and nothing hostile comes through."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.gates.words import Verdict
from harness.matrix.records import Failure
from harness.matrix.replay import CellState, Progress
from harness.report.junit import to_junit

xmlschema = pytest.importorskip("xmlschema", reason="xmlschema is not installed")


@pytest.fixture(scope="session")
def schema():
    return xmlschema.XMLSchema(Path(__file__).with_name("junit.xsd"))


def _read(summary):
    return ET.fromstring(to_junit(summary))  # noqa: S314 - our own


def _case(root, name):
    (found,) = (one for one in root.iter("testcase") if one.get("name") == name)
    return found


def _tags(case):
    return [one.tag for one in case]


def test_a_report_is_valid_and_has_a_case_for_each_gate_and_the_verdict(make_summary, schema):
    summary = make_summary()
    schema.validate(to_junit(summary))
    names = [one.get("name") for one in _read(summary).iter("testcase")]
    cell = summary.features[0].verdict.cells[0]
    assert names == [*cell.answers, "verdict"]


def test_pass_is_clean_fail_is_a_failure_and_the_rest_is_skipped_with_the_sentence(make_summary):
    summary = make_summary(gain=0, pairs=10)
    root = _read(summary)
    gates = summary.features[0].verdict.cells[0].gates
    assert _tags(_case(root, "f1")) == ["failure"]
    assert _case(root, "f1")[0].get("message") == gates["f1"].sentence
    assert _tags(_case(root, "collapse")) == ["system-out"]
    assert _case(root, "time")[0].attrib == {"message": "not measured"}
    assert _tags(_case(root, "verdict")) == ["failure"]
    suite = root[0]
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == [
        str(len(list(suite.iter("testcase")))), "2", "0",
        str(len(list(suite.iter("skipped")))),
    ]  # fmt: skip
    assert root.get("failures") == "2"


def test_an_open_gate_is_skipped(make_summary):
    case = _case(_read(make_summary(pairs=3)), "collapse")
    assert _tags(case) == ["skipped"]
    assert "3 of 10 clean runs" in case[0].get("message")


def test_a_crash_is_an_error_of_the_verdict_and_named_by_the_cells_gates(make_summary, schema):
    summary = make_summary()
    (one,) = summary.features
    (cell,) = one.verdict.cells
    empty = dataclasses.replace(cell, gates={})
    broken = dataclasses.replace(
        one,
        verdict=dataclasses.replace(one.verdict, cells=(empty,)),
        problems=("gcn on planted: killed by SIGKILL",),
        progress=Progress(
            1, (CellState(empty, problem=Failure(kind="killed", detail="killed by SIGKILL")),),
            (), (), done=True,
        ),
    )  # fmt: skip
    summary = dataclasses.replace(summary, features=(broken,))
    assert broken.word is Verdict.NOT_MEASURED
    schema.validate(to_junit(summary))
    root = _read(summary)
    assert _tags(_case(root, "verdict")) == ["error"]
    assert _case(root, "f1")[0].get("message") == "not measured: killed by SIGKILL"


def test_a_gate_that_is_reported_alone_never_fails_a_build(make_summary):
    summary = make_summary(gain=0, pairs=10)
    (one,) = summary.features
    cell = dataclasses.replace(one.verdict.cells[0], required=("collapse",), reported=("f1",))
    one = dataclasses.replace(one, verdict=dataclasses.replace(one.verdict, cells=(cell,)))
    case = _case(_read(dataclasses.replace(summary, features=(one,))), "f1")
    assert _tags(case) == ["skipped"]
    assert case[0].get("message").startswith("reported and not judged: ")


@settings(max_examples=40)
@given(name=st.text(max_size=40) | st.sampled_from(["\x00\x1b[2J\ufffe", "]]>&<!--\"'", "\ud800"]))
def test_any_name_comes_through_as_itself_save_what_xml_forbids(one_summary, schema, name):
    summary = one_summary(name)
    text = to_junit(summary)
    schema.validate(text)
    read = ET.fromstring(text)[0].get("name")  # noqa: S314 - our own
    assert len(read) == len(name)
    assert all(ours in (theirs, "\ufffd") for ours, theirs in zip(read, name, strict=True))


@pytest.fixture(scope="session")
def one_summary(make_summary_once):
    """The same report under another name."""

    def make(name):
        (one,) = make_summary_once.features
        planned = one.planned.model_copy(update={"name": name})
        return dataclasses.replace(
            make_summary_once, features=(dataclasses.replace(one, planned=planned),)
        )

    return make
