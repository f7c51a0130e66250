"""The data sets of plans from elsewhere, found on this machine, with every byte checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import DataError, HarnessError, StoreError
from harness.graphs import catalog
from harness.graphs.dataset import open_folder
from harness.graphs.splits import PROTOCOL
from harness.matrix.received import Truth, truth_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.graphs.dataset import PackedGraphs
    from harness.matrix.planned import Plan
    from harness.matrix.results import Results
    from harness.matrix.spec import TrialSpec


@dataclass(frozen=True)
class DataHere:
    """Data sets on this machine.

    Attributes:
        folders: of the packed arrays, by content hash.
        graphs: the data sets, by content hash.
    """

    folders: dict[str, str]
    graphs: dict[str, PackedGraphs]
    _truths: dict[tuple[str, int], Truth] = field(default_factory=dict)

    @classmethod
    def of(cls, results: Results) -> DataHere:
        """Those that results are judged on.

        Raises:
            DataError: if a file is missing or damaged.
        """
        return cls({}, {content: results.graphs(content) for content in results.folders})

    def truth(self, spec: TrialSpec) -> Truth:
        """A trial's gate part; drawn once for all trials of a seed.

        Raises:
            DataError: if the data cannot be split.
        """
        key = spec.data, spec.seed
        if key not in self._truths:
            self._truths[key] = truth_of(self.graphs[spec.data], spec)
        return self._truths[key]


def find_data(plans: Sequence[tuple[str, Plan]], data_root: Path) -> DataHere:
    """Find the plans' data sets, and hold what the plans say of them against them.

    Args:
        plans: each with the folder that it came from.
        data_root: where packed data sets of this machine are; looked at before the folders that
            the plans name.

    Raises:
        DataError: if one is not on this machine, or not sound.
        StoreError: if a plan says something else of one than it holds, or splits it by a protocol
            that this version does not know.
    """
    at_home = catalog.stored(data_root)
    found = DataHere({}, {})
    for content in dict.fromkeys(content for _, plan in plans for content in plan.data):
        names = {plan.data[content].name for _, plan in plans if content in plan.data}
        # One set can be packed under several names; the plans' own is looked at first.
        home = sorted(
            (one.info.name not in names, one.folder.resolve())
            for one in at_home
            if one.info is not None and one.info.content == content
        )
        named = {Path(plan.data[content].folder) for _, plan in plans if content in plan.data}
        sound = (
            (folder, _opened(folder, content))
            for folder in [*(one for _, one in home), *sorted(named)]
        )
        folder, graphs = next((one for one in sound if one[1] is not None), (None, None))
        if graphs is None:
            source = next(plan.data[content] for _, plan in plans if content in plan.data)
            raise DataError(
                f"the data set {source.name} ({content[:12]}) is not on this machine",
                where=str(data_root),
                mend=f"build it first: ablate data build {source.source}; or give --data-root",
            )
        found.folders[content], found.graphs[content] = str(folder), graphs
        for place, plan in plans:
            _check_said(place, plan, content, graphs)
    for place, plan in plans:
        _check_protocol(place, plan)
    return found


def _opened(folder: Path, content: str) -> PackedGraphs | None:
    """The data set of a folder, if it is sound and that one."""
    try:
        if not folder.is_dir():
            return None
        graphs = open_folder(folder)
        if graphs.info.content != content:
            return None
        catalog.check(graphs)
    except (HarnessError, OSError, ValueError):
        return None
    return graphs


def _check_said(place: str, plan: Plan, content: str, graphs: PackedGraphs) -> None:
    """Refuse a plan that says something else of a data set than the data set itself."""
    said = plan.data.get(content)
    if said is None:
        return
    holds = {
        "name": graphs.info.name,
        "graphs": len(graphs),
        "vulnerable": int((graphs.label == 1).sum()),
        "notes": graphs.info.notes,
    }
    for name, value in holds.items():
        if getattr(said, name) != value:
            raise StoreError(
                f"its plan says of the data set {content[:12]} that {name} is "
                f"{getattr(said, name)!r}, and the data set here says {value!r}",
                where=place,
                mend="the store was changed, or its data set has another name or version here: "
                "bring the packed folder that ablate data info names to --data-root",
            )


def _check_protocol(place: str, plan: Plan) -> None:
    for other in sorted({spec.protocol for spec in plan.trials.values()} - {PROTOCOL}):
        raise StoreError(
            f"its trials are split by {other}, and this version knows {PROTOCOL} alone",
            where=place,
            mend="merge with the version of the harness that ran them",
        )
