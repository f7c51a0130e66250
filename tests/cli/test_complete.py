"""What a shell is offered when it asks as bash does; answered without loading torch."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness.cli import complete
from harness.feature import FEATURES
from harness.graphs.sources import SOURCES
from harness.hardware import describe
from harness.models import MODELS


@pytest.fixture
def offered(ablate, monkeypatch):
    """What is offered for the last word of a line."""

    def ask(line):
        monkeypatch.setenv("_ABLATE_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        return ablate().stdout.split()

    return ask


def test_names_are_those_that_importing_registers():
    assert set(complete.features("")) == {*FEATURES.names(), "all"} - _plugins(FEATURES)
    assert set(complete.models("")) == {*MODELS.names()} - _plugins(MODELS)
    assert set(complete.data("")) == {*SOURCES.names()}


def _plugins(registry):
    """What other tests registered in this process."""
    return {
        name for name, entry in registry if not _module(entry).startswith(("features", "harness"))
    }


def _module(entry):
    return getattr(entry, "make", entry).__module__


def test_fields_and_values_are_those_of_the_classes():
    for name, kind in FEATURES:
        if _module(kind).startswith("features"):
            fields = {f"{name}[{field}=" for field in kind.model_fields}
            assert set(complete.features(f"{name}[")) == fields
    for name, entry in MODELS:
        if _module(entry).startswith("harness"):
            values = {f"{name}[{value}=" for value in entry.values.model_fields}
            assert set(complete.models(f"{name}[")) == values


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("ablate run --features am", ["amp"]),
        ("ablate run --features swa,am", ["swa,amp"]),
        ("ablate run --features swa+am", ["swa+amp"]),
        ("ablate run --features amp[dt", ["amp[dtype="]),
        ("ablate run --features swa[kind=ema],am", ["swa[kind=ema],amp"]),
        ("ablate run --models gcn,sa", ["gcn,sage"]),
        ("ablate run --models sage[hi", ["sage[hidden="]),
        ("ablate run --baseline pl", ["plain"]),
        ("ablate run --policy c", ["claims"]),
        ("ablate run --preset ", ["quick", "full"]),
        ("ablate run --hardware t4,v", ["t4,v100"]),
        ("ablate run --data inv", ["inverted_guard"]),
        ("ablate train --model gi", ["gin"]),
        ("ablate train --features phase1+sw", ["phase1+swa"]),
        ("ablate features lr", ["lr_finder"]),
        ("ablate models ga", ["gat"]),
    ],
)
def test_the_last_name_of_a_line_is_completed(offered, line, wanted):
    assert offered(line) == wanted


def test_this_machine_is_among_the_hardware(offered):
    assert offered("ablate run --hardware cpu-") == [describe().kind]


def test_paths_are_offered_beside_sources(offered, tmp_path):
    (tmp_path / "functions.jsonl").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / ".hidden").touch()
    assert offered("ablate run --data f") == ["folder/", "functions.jsonl"]
    assert offered("ablate run --data nowhere/") == []


def test_torch_is_not_loaded_for_it():
    code = (
        "import sys; from harness.cli import complete; complete.features(''); complete.models(''); "
        "complete.data(''); complete.hardware(''); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
