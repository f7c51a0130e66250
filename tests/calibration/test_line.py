from __future__ import annotations

import json

from harness.calibration.line import Line


def test_a_line_is_plain_data():
    line = Line("no-op", "f1 FAIL", "f1 PASS", kept=False)
    assert json.loads(json.dumps(line.to_json())) == {
        "what": "no-op", "wanted": "f1 FAIL", "obtained": "f1 PASS", "kept": False,
    }  # fmt: skip
