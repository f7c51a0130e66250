from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field

from harness.errors import UsageError
from harness.graphs.sources import base
from harness.graphs.sources.base import SOURCES, Source, code_key, installed, make_source
from harness.graphs.sources.devign import Devign
from harness.graphs.sources.inverted_guard import InvertedGuard
from harness.selection import parse_single


@pytest.mark.parametrize("name", ["code_folder", "devign", "inverted_guard", "packed", "sven"])
def test_every_source_has_a_card_and_described_options(name):
    source = SOURCES.get(name)
    assert source.name == name
    assert len(source.card().split("\n\n")) >= 2
    assert source.card().partition("\n\n")[0].endswith(".")
    assert all(field.description for field in source.model_fields.values())


@pytest.mark.parametrize(
    "text",
    [
        "inverted_guard",
        "inverted_guard[limit=4000]",
        'inverted_guard[limit=0,packages="json email"]',
        "devign[path=a/b.jsonl]",
        "devign[dialect=c,limit=5,path=a.jsonl,strict=true]",
        "streamguard[edges=pairs,path=x.jsonl,symmetric=true]",
        "code_folder[groups=g.csv,path=x.zip]",
    ],
)
def test_a_selection_is_read_and_written_the_same(text):
    source = make_source(parse_single(text))
    assert str(source) == text
    assert make_source(source.selection()) == source


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("devign", "field 'path' of source 'devign': Field required"),
        ("devign[pat=x]", "field 'pat' of source 'devign'"),
        ("devign[path=x,limit=-1]", "field 'limit' of source 'devign'"),
        ("devign[path=x,dialect=java]", "field 'dialect'"),
        ("devign[path=x,num_tokens=1]", "field 'num_tokens'"),
        ("inverted_guard[limit=many]", "field 'limit'"),
        ("inverted_gard", "did you mean inverted_guard"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(text, message):
    with pytest.raises(UsageError) as caught:
        make_source(parse_single(text))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("data/reveal_chrome", "reveal_chrome"),
        ("x/sven.json.xz", "sven"),
        ("my data (1).jsonl", "my_data_1"),
        (".hidden", "devign"),
        ("é.jsonl", "devign"),
        ("a" * 200, "a" * 80),
    ],
)
def test_the_title_is_the_files_name(path, title):
    assert Devign(path=Path(path)).title == title
    assert InvertedGuard().title == "inverted_guard"


@pytest.mark.usefixtures("own_sources")
def test_a_third_partys_source_is_registered_and_its_file_is_part_of_the_key():
    @base.register_source
    class Mine(InvertedGuard):
        """One of another package."""

        name: ClassVar[str] = "mine"

    assert SOURCES.get("mine") is Mine
    assert code_key(Mine) != code_key(InvertedGuard)
    assert code_key(Devign) == code_key(InvertedGuard)
    assert Mine().key() != InvertedGuard().key()
    with pytest.raises(UsageError, match="two sources are called 'devign'"):

        @base.register_source
        class Clash(InvertedGuard):
            """The same name as another's."""

            name: ClassVar[str] = "devign"


def test_an_option_without_a_description_is_refused():
    with pytest.raises(UsageError, match="field 'bare' of source 'bare' has no description"):

        @base.register_source
        class Bare(InvertedGuard):
            """With an option that says nothing."""

            name: ClassVar[str] = "bare"
            bare: int = Field(3)

    assert "bare" not in SOURCES.names()


def test_a_source_must_say_how_it_is_built():
    with pytest.raises(TypeError, match="abstract"):
        Source()


def test_versions_are_those_of_what_is_installed():
    found = installed(["numpy", "no-such-distribution"])
    assert found["no-such-distribution"] == ""
    assert found["numpy"].split(".")[0].isdigit()
    assert found["python"].startswith("cpython-")
