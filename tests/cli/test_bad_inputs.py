"""What can be given wrongly: each is answered in words, with exit code 2 and no traceback.

An answer says what was wrong, where, and how to mend it; every line of a table below is one.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.graphs.dataset import save
from harness.testing import planted_graphs

PLUGIN = Path(__file__).parents[1] / "matrix" / "planted_features.py"
FUNCTION = {"func": "int f(int a) { return a; }", "target": 1, "project": "p", "commit_id": "c"}
TREE = {"code": "x", "label": 1}


@dataclass(frozen=True)
class Bad:
    """A command, what its answer names as the place, as what was wrong, and as what to do."""

    name: str
    command: str
    where: str
    what: str
    mend: str


FLAGS = [
    Bad("unknown flag", "run --sedes 3", "--sedes", "No such option", "--seeds"),
    Bad("unknown command", "rum", "'rum'", "No such command", "--help"),
    Bad("a flag without its value", "run --seeds", "--seeds", "requires an argument", ""),
    Bad("too few seeds", "run --seeds 0", "--seeds", "greater than or equal to 3", "pairs"),
    Bad("too many seeds", "run --seeds 99", "--seeds", "less than or equal to", "pairs"),
    Bad("a path to share below", "run --share results", "'results'", "no address", "s3://BUCKET"),
    Bad(
        "an unknown kind of URL", "report ftp://h/x", "'ftp://h/x'", "no address", "file:///FOLDER"
    ),
    Bad("a word for a number", "run --seeds many", "--seeds", "valid integer", "it is 'many'"),
    Bad("no epochs", "run --epochs 0", "--epochs", "greater than or equal to 1", "epochs of"),
    Bad("a rate that is no number", "run --learning-rate nan", "--learning-rate", "nan", "rate"),
    Bad("a negative time", "run --timeout -1", "--timeout", "greater than 0", "seconds"),
    Bad("a batch of letters", "run --batch-size 7x", "--batch-size", "'7x'", "auto"),
    Bad(
        "an address without a cluster",
        "run --address 10.0.0.1:6379",
        "--address",
        "no cluster",
        "--executor ray",
    ),
    Bad("unknown executor", "run --executor slurm", "--executor", "'slurm'", "ray"),
    Bad("unknown policy", "run --policy hope", "--policy", "'hope'", "roadmap or claims"),
    Bad("unknown shape", "run --shape cube", "--shape", "'cube'", "drop-one"),
    Bad("unknown preset", "run --preset slow", "--preset", "'slow'", "quick"),
    Bad("unknown device", "run --device tpu", "--device", "'tpu'", "cuda:N"),
    Bad("a GPU that is not there", "run --device cuda:7", "--device", "CUDA", "--device cpu"),
    Bad("unknown format", "report d --format pdf", "--format", "'pdf'", "html"),
    Bad("unknown answer to 3", "gate --inconclusive maybe", "--inconclusive", "'maybe'", "pass"),
    Bad("no trials", "tune --trials 0", "--trials", "greater than or equal to 1", "--help"),
    Bad("a merge into nowhere", "merge a b", "--out", "Missing option", "--help"),
    Bad("a bad name", "features --new Bad-Name", "--new", "'Bad-Name'", "a-z"),
    Bad("a name that is taken", "features --new swa", "--new", "'swa'", "ablate features swa"),
]

SELECTIONS = [
    Bad("unknown model", "run --models gnn", "model", "'gnn'", "did you mean"),
    Bad("unknown feature", "run --features ampp", "feature", "'ampp'", "did you mean amp"),
    Bad("unknown feature to plan", "plan --features swaa", "feature", "'swaa'", "did you mean swa"),
    Bad("unknown baseline", "run --baseline phase2", "feature", "'phase2'", "there are"),
    Bad("unknown value", "run --models gcn[hiden=3]", "'hiden'", "not permitted", "hidden"),
    Bad("negative size", "run --models gcn[hidden=-3]", "'hidden'", "greater than", "values are"),
    Bad("open bracket", "run --models gcn[hidden=3", "gcn[hidden=3", "not closed", "']'"),
    Bad("unknown type", "run --features amp[dtype=fp8]", "'dtype'", "'bf16'",
        "ablate features amp"),
    Bad("twice the same", "run --features swa,swa", "--features", "2 times", "once"),
    Bad("two models to train", "train --model gcn,sage", "gcn,sage", "is no name", "joined by +"),
    Bad("two schedules", f"train --features swa+planted_schedule --plugins {PLUGIN}",
        "swa", "planted_schedule", "one of"),
    Bad("a pair of one", "run --shape pairs --features amp", "--features",
        "a pair takes two features", ""),
    Bad("nothing to take out", "plan --shape drop-one --baseline plain", "--baseline",
        "there is nothing to take out", ""),
    Bad("a value out of range", "run --features swa[start=7]", "'start'", "less than", "fields"),
    Bad("a feature that is not there", "features nothing", "feature", "'nothing'", "there are"),
    Bad("a checkpoint that is not there", "run --features param_groups[pretrained=no.pt]",
        "no.pt", "No such file", "path of a file"),
]  # fmt: skip

FILES = [
    Bad("no such data", "run --data nowhere/", "nowhere/", "no path that exists", "devign"),
    Bad("an empty file", "run --data empty.jsonl", "empty.jsonl", "is empty", "JSON object a line"),
    Bad("a cut line", "run --data cut.jsonl", "cut.jsonl:1", "not JSON", "column"),
    Bad("no UTF-8", "run --data latin.jsonl", "latin.jsonl:1", "not UTF-8", "UTF-8"),
    Bad("a list", "run --data list.jsonl", "list.jsonl:1", "not a JSON object", "JSON object"),
    Bad("unknown fields", "run --data fields.jsonl", "fields.jsonl", "text, verdict", "devign"),
    Bad("a label of 2", "run --data two.jsonl", "two.jsonl:1: field 'target'", "neither 0 nor 1",
        "ablate data list"),
    Bad("an edge to nowhere", "run --data edge.jsonl", "edge.jsonl:1: field 'edge_index'", "",
        "ablate data list"),
    Bad("one class", "run --data one.jsonl", "one.jsonl", "hold safe ones", "use more data"),
    Bad("a damaged data set", "run --data damaged", "damaged", "", "built anew"),
    Bad("no TOML", "run --config bad.toml", "bad.toml", "line 1", "seeds = 10"),
    Bad("unknown setting", "run --config unknown.toml", "entry 'sedes'", "no setting", "seeds"),
    Bad("a setting's type", "run --config type.toml", "entry 'seeds'", "valid integer", "pairs"),
    Bad("no configuration", "run --config none.toml", "none.toml", "no such file", "TOML file"),
    Bad("a plugin that raises", "run --plugins raises.py", "raises.py:2", "boom", "mend that file"),
    Bad("a plugin that is no Python", "run --plugins syntax.py", "syntax.py:1", "SyntaxError",
        "mend that file"),
    Bad("no plugin", "run --plugins none.py", "none.py", "no such Python file", "path of a .py"),
    Bad("no results", "report nowhere", "nowhere/plan.json", "no plan", "ablate run --out"),
    Bad("a damaged plan", "report damaged", "damaged/plan.json", "not JSON", "ablate run"),
    Bad("no store", "merge nowhere --out out", "nowhere", "no such folder", ""),
    Bad("a store without a plan", "merge planted --out out", "planted", "no plan in it", ""),
    Bad("nothing to examine", "doctor nowhere", "nowhere/plan.json", "no plan", "ablate run"),
    Bad("a file for a folder", "run --data planted --out file", "file", "File exists",
        "no file is in the way"),
    Bad("no frame", "report nowhere --format dataframe", "nowhere", "no finished trial", "--out"),
]  # fmt: skip

ENVIRONMENT = [
    Bad("a bad variable", "run", "ABLATION_SEEDS", "valid integer", "pairs"),
    Bad("no repository", "gate --since HEAD", "", "no working tree of a git repository", "git"),
    Bad("a folder that cannot be written", "run --data planted --out /proc/x", "/proc", "",
        "give a p"),
]  # fmt: skip


def _lines(path, *values):
    path.write_text("".join(f"{json.dumps(value)}\n" for value in values), "utf-8")


@pytest.fixture
def inputs(tmp_path):
    """The files that the commands name."""
    save(planted_graphs(60, seed=3), tmp_path / "planted")
    shutil.copytree(tmp_path / "planted", tmp_path / "damaged")
    for name in ("label.npy", "info.json", "plan.json"):
        (tmp_path / "damaged" / name).write_text("{")
    (tmp_path / "file").touch()
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "cut.jsonl").write_text('{"func": "int f() {}", "target": 1\n')
    (tmp_path / "latin.jsonl").write_bytes(b'{"func": "\xff", "target": 1}\n')
    _lines(tmp_path / "list.jsonl", [1, 2])
    _lines(tmp_path / "fields.jsonl", {"text": "int f() {}", "verdict": 1})
    _lines(tmp_path / "two.jsonl", FUNCTION | {"target": 2})
    _lines(tmp_path / "one.jsonl", FUNCTION)
    _lines(tmp_path / "edge.jsonl", TREE | {"ast_nodes": ["a"], "edge_index": [[0], [9]]})
    (tmp_path / "bad.toml").write_text("seeds = \n")
    (tmp_path / "unknown.toml").write_text("sedes = 3\n")
    (tmp_path / "type.toml").write_text('seeds = "many"\n')
    (tmp_path / "raises.py").write_text('"""A plugin."""\nraise RuntimeError("boom")\n')
    (tmp_path / "syntax.py").write_text("def (:\n")


@pytest.mark.parametrize(
    "bad", [*FLAGS, *SELECTIONS, *FILES, *ENVIRONMENT], ids=lambda bad: bad.name
)
def test_a_bad_input_is_answered_in_words(bad, inputs, ablate, monkeypatch):
    if bad.where.startswith("ABLATION_"):
        monkeypatch.setenv(bad.where, "many")
    done = ablate(*bad.command.split(), code=2)
    said = " ".join(done.stderr.split())
    for words in (bad.where, bad.what, bad.mend):
        assert words in said, f"{words!r} is not in: {said}"
    assert done.stdout == ""


def test_the_catalogue_is_long_enough():
    assert len({*FLAGS, *SELECTIONS, *FILES, *ENVIRONMENT}) >= 50
