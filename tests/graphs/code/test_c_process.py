from __future__ import annotations

import contextlib
import io
import json

import pytest

from harness.graphs.code import c, c_process
from harness.graphs.code.c_process import CReader
from harness.graphs.code.graph import MAX_TEXT_BYTES, UnreadableCodeError

# Makes the C++ parser ask for more than it may have.
BOMB = "a<b<c>(d)," * 20_000


@pytest.fixture(scope="module")
def reader():
    with CReader("auto", 10_000) as made:
        yield made


@pytest.mark.parametrize(
    "text", ["int f(void) { return 1; }", "void A::b() {}", "", "\ud800 é \0", "}}} ((("]
)
def test_the_answer_is_that_of_the_parser_itself(reader, text):
    code = text.encode("utf-8", "replace")
    assert reader.read(text) == reader.read(code) == c.CParser().read(code, 10_000)


def test_a_text_that_is_unreadable_is_one_there_as_here(reader):
    with pytest.raises(UnreadableCodeError, match="more than 10000 nodes"):
        reader.read("x; " * 10_000)
    with pytest.raises(UnreadableCodeError, match="longer than 1 MiB"):
        reader.read("x" * (MAX_TEXT_BYTES + 1))
    assert reader.read("int f() {}").name == "f"


def test_a_text_that_takes_the_parser_down_costs_itself_alone(reader):
    with pytest.raises(UnreadableCodeError, match="too much for the parser"):
        reader.read(BOMB)
    assert reader.read("int f() {}").name == "f"


@pytest.mark.slow
@pytest.mark.parametrize("dialect", ["c", "cpp"])
@pytest.mark.parametrize("unit", ["( = <b> && a ", "a<b<c>(d),", ": & ", "{ ", "a<", "#if a\n"])
def test_no_hostile_text_costs_more_than_itself(dialect, unit):
    with CReader(dialect, 10_000) as reader:
        for length in (50_000, 200_000, 1_000_000):
            with contextlib.suppress(UnreadableCodeError):
                reader.read(unit * (length // len(unit)))
            assert reader.read("int f() {}").name == "f"


def test_a_process_that_dies_is_replaced(reader):
    assert reader.read("int f() {}").name == "f"
    reader._process.kill()
    reader._process.wait()
    with pytest.raises(UnreadableCodeError, match="too much for the parser"):
        reader.read("int g() {}")
    assert reader.read("int g() {}").name == "g"


def test_a_process_that_does_not_answer_is_given_up(monkeypatch):
    monkeypatch.setattr(c_process, "MAX_WAIT", 0.0)
    with CReader("c", 100) as reader, pytest.raises(UnreadableCodeError, match="too much"):
        reader.read("int f() {}")


def test_no_process_is_left_and_none_is_started_for_nothing():
    with CReader("c", 100) as reader:
        assert reader._process is None
        reader.read("int f() {}")
        process = reader._process
        assert process.poll() is None
    assert process.poll() is not None


def message(content: bytes) -> bytes:
    return len(content).to_bytes(8, "little") + content


def test_the_serving_side_answers_each_text_and_ends_with_its_input():
    asked = io.BytesIO(message(b"int f() {}") + message(b"x;" * 100) + b"\7\0")
    answered = io.BytesIO()
    c_process.serve(asked, answered, "auto", 50)
    answered.seek(0)
    answers = []
    while (answer := c_process._receive(answered)) is not None:
        answers.append(json.loads(answer))
    assert answers[0]["name"] == "f"
    assert answers[1] == {"error": "the graph has more than 50 nodes"}
    assert len(answers) == 2
