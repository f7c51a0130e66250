from __future__ import annotations

import json

import pytest


@pytest.fixture
def write_lines(tmp_path):
    """Writes records, or lines given as text or bytes, to a JSONL file."""

    def write(*records: dict | str | bytes, name: str = "data.jsonl"):
        lines = [
            record
            if isinstance(record, bytes)
            else (record if isinstance(record, str) else json.dumps(record)).encode()
            for record in records
        ]
        path = tmp_path / name
        path.write_bytes(b"\n".join(lines) + b"\n")
        return path

    return write
