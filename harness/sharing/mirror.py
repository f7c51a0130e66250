"""A store below a URL as a folder of this machine, to be reported on or merged."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

from harness.errors import UsageError
from harness.files import MAX_JSON_BYTES, folder_written_whole, write_whole
from harness.matrix.inside import Inside
from harness.matrix.merge import merge
from harness.matrix.planned import PLAN_FILE
from harness.matrix.received import read_plan
from harness.sharing.bundle import MOST_BYTES, unpack
from harness.sharing.exchange import PLANS, record_places
from harness.sharing.index import ENDING, TRIALS
from harness.sharing.objects import Objects, whole

if TYPE_CHECKING:
    from pathlib import Path

    from harness.matrix.planned import Plan

FOLDER: Final = "mirrors"
_NAME = re.compile(r"[0-9a-z][0-9a-z-]{0,99}\.json\Z")


def mirror(url: str, data_root: Path) -> list[Path]:
    """Fetch what is below a URL into folders of its own, and of trials only what is new.

    Nothing of it is believed yet: ``matrix.merge`` checks what it reads.

    Args:
        url: where machines share their results.
        data_root: where packed data sets of this machine are; mirrors are beside it.

    Returns:
        A store for each kind of hardware that there is a plan of.

    Raises:
        UsageError: if nothing is there, or no such folder.
        StoreError: if the URL cannot be reached, or a plan or bundle is not what it should be.
        OSError: if the disk is full.
    """
    objects = Objects(url, make=False)
    names = sorted(name for name in objects.versions(PLANS) if _NAME.match(name))
    folders = []
    for (_, name), content in objects.each(((PLANS, one) for one in names), MAX_JSON_BYTES):
        folder = data_root.parent / FOLDER / _name_of(objects.url) / name.removesuffix(".json")
        write_whole(folder / PLAN_FILE, whole(content))
        plan = read_plan(Inside(folder))
        if plan is not None:
            _fetch_trials(objects, folder / TRIALS, plan)
            _fetch_records(objects, folder, plan)
            folders.append(folder)
    if not folders:
        raise UsageError(
            "there is no plan in it", where=objects.address(PLANS),
            mend="run first: ablate run --share URL",
        )  # fmt: skip
    return folders


def checked_mirror(url: str, data_root: Path) -> Path:
    """A mirror that was checked as a merged store is, to be reported on.

    Args:
        url: where machines share their results.
        data_root: where packed data sets of this machine are; mirrors are beside it.

    Raises:
        HarnessError: as ``mirror`` and ``matrix.merge.merge`` do.
        OSError: if the disk is full.
    """
    copies = mirror(url, data_root)
    merged = copies[0].with_name("merged")
    merge(copies, merged, data_root)
    return merged


def _fetch_trials(objects: Objects, folder: Path, plan: Plan) -> None:
    there = objects.versions(TRIALS)
    new = [key for key in plan.trials if key + ENDING in there and not (folder / key).exists()]
    bundles = objects.each(((TRIALS, key + ENDING) for key in new), MOST_BYTES)
    for (_, name), content in bundles:
        with folder_written_whole(folder / name.removesuffix(ENDING)) as draft:
            unpack(whole(content), draft, objects.address(TRIALS, name))


def _fetch_records(objects: Objects, folder: Path, plan: Plan) -> None:
    for place, content in objects.each(record_places(objects, plan), MAX_JSON_BYTES):
        write_whole(folder.joinpath(*place), whole(content))


def _name_of(url: str) -> str:
    """A name for a folder that no other URL has."""
    readable = re.sub(r"[^a-z0-9]+", "-", url.lower()).strip("-")[:60]
    return f"{readable}-{hashlib.sha256(url.encode()).hexdigest()[:12]}"
