"""verdict.json is what its published schema says, and nothing that is written goes unsaid."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.report.summary import summarise

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "verdict.schema.json").read_text("utf-8"))


def _strict(schema):
    """The same schema, by which a member that it does not name is an error."""
    if isinstance(schema, list):
        return [_strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _strict(value) for name, value in schema.items()}
    if schema.get("type") == "object" and isinstance(schema.get("properties"), dict):
        found.setdefault("additionalProperties", False)
    return found


@pytest.fixture(scope="module")
def valid():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    validator = jsonschema.Draft202012Validator(_strict(SCHEMA))

    def check(document):
        errors = [f"{one.json_path}: {one.message}" for one in validator.iter_errors(document)]
        assert errors == []

    return check


@pytest.mark.parametrize(("gain", "pairs"), [(12, 5), (0, 10), (0, 3), (0, 1)])
def test_a_verdict_is_valid(make_summary, valid, gain, pairs):
    valid(json.loads(json.dumps(make_summary(gain=gain, pairs=pairs).to_json())))


@pytest.mark.parametrize(
    ("features", "more"),
    [
        ("amp,swa", {"hardware": ["t4"]}),
        ("amp,swa", {"shape": "pairs", "models": "gcn"}),
        ("amp", {"shape": "drop-one", "models": "gcn"}),
        ("amp", {"models": "gcn", "pairs": 0}),
        ("amp", {"models": "gcn", "policy": "claims"}),
    ],
)
def test_a_verdict_of_a_store_is_valid_in_every_shape(make_stored, valid, features, more):
    valid(json.loads(json.dumps(summarise(make_stored(features, **more)).to_json())))


def test_another_version_is_refused(make_summary):
    document = {**make_summary().to_json(), "schema": 2}
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(document)
