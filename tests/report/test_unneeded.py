"""A gate with nothing to judge leaves no verdict of an earlier question behind."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from harness.config import RunConfig
from harness.errors import UsageError
from harness.report.unneeded import write_unneeded

SCHEMA = Path(__file__).parents[2] / "docs" / "verdict.schema.json"


def test_the_verdict_is_pass_of_nothing_and_an_older_page_is_gone(tmp_path):
    for name in ("verdict.json", "report.md", "report.html"):
        (tmp_path / name).write_text("of yesterday")
    (tmp_path / "plan.json").write_text("{}")
    write_unneeded(RunConfig(policy="claims"), ["no *code* changed"], tmp_path)
    verdict = json.loads((tmp_path / "verdict.json").read_text())
    jsonschema.validate(verdict, json.loads(SCHEMA.read_text()))
    assert (verdict["verdict"], verdict["policy"], verdict["features"]) == ("PASS", "claims", {})
    assert "weighted_sampler" in " ".join(verdict["baseline"])
    assert r"- no \*code\* changed" in (tmp_path / "report.md").read_text()
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "plan.json", "report.md", "verdict.json",
    ]  # fmt: skip


def test_the_folder_is_made_and_an_unknown_baseline_is_named(tmp_path):
    write_unneeded(RunConfig(), [], tmp_path / "new" / "out")
    assert (tmp_path / "new" / "out" / "verdict.json").is_file()
    with pytest.raises(UsageError, match="ampp"):
        write_unneeded(RunConfig(baseline="ampp"), [], tmp_path)
