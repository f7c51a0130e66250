"""The quick start and the how-to pages, block by block, for real: python, toml and sh.

A block whose first line is a comment with a file's name is that file. Environment variables make
runs short; what a page's own flags say stays.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from harness.graphs.dataset import save
from harness.testing import planted_graphs
from tests.docs.blocks import ROOT, TOURS, blocks

SHORT = {
    "ABLATION_EPOCHS": "2", "ABLATION_SEEDS": "3", "ABLATION_JOBS": "1",
    "ABLATION_TIMING_EPOCHS": "1", "ABLATION_TIMING_BLOCKS": "3", "ABLATION_BATCH_SIZE": "32",
}  # fmt: skip
VERDICTS = {"run", "gate", "report", "train"}
"""Commands whose exit codes 1 and 3 are answers, not errors."""


@pytest.fixture
def shell(tmp_path):
    """Run one line as a shell would, in an empty folder with planted data."""
    save(planted_graphs(120, seed=3), tmp_path / "planted")
    bin_ = tmp_path / ".bin"
    bin_.mkdir()
    for name, module in (
        ("ablate", "harness"), ("pytest", "pytest"), ("torchrun", "torch.distributed.run"),
        ("python", ""),
    ):  # fmt: skip
        chosen = f"-m {module} " if module else ""
        (bin_ / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {chosen}"$@"\n')
        (bin_ / name).chmod(0o755)
    environment = {
        **os.environ,
        **SHORT,
        "PATH": os.pathsep.join([str(bin_), os.environ["PATH"]]),
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
    }

    def run(line):
        done = subprocess.run(
            [shutil.which("bash"), "-c", line],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=900, check=False,
        )  # fmt: skip
        found = re.match(r"(?:ablate|torchrun .*-m harness) (\w+)", line)
        allowed = {0, 1, 3} if found and found[1] in VERDICTS else {0}
        assert done.returncode in allowed, f"{line}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr, f"{line}\n{done.stderr}"
        return done

    return run


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("page", TOURS, ids=lambda page: page.stem)
def test_every_block_runs(page, shell, tmp_path):
    ran = 0
    for block in blocks(page):
        if block.language in ("python", "toml"):
            assert block.file, block.text
            (tmp_path / block.file).write_text(block.text, "utf-8")
            if block.language == "python":
                shell(f"python {block.file}")
        elif block.language == "sh":
            for line in block.lines:
                shell(line)
                ran += 1
        else:
            assert block.language == "console", f"what is this block? {block.text}"
    assert ran


def test_no_block_is_left_without_a_language():
    for page in TOURS:
        for block in blocks(page):
            assert block.language in ("python", "toml", "sh", "console", "yaml"), block.text
            if block.language == "yaml":
                assert yaml.safe_load(block.text)
