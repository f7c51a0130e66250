"""Which candidates a change concerns, and the part of an ablation that judges them."""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.feature import FEATURES
from harness.matrix.ablation import lay_out
from harness.matrix.changes import (
    Change,
    Changes,
    Engine,
    How,
    Part,
    Stale,
    Versions,
    changed_pins,
    registered_in,
)
from harness.matrix.imports import read_from_disk, roots_of
from harness.matrix.revision import open_revision
from harness.matrix.shapes import Shape, baseline_of, candidates_of, make_matrix
from harness.matrix.spec import KEY_PACKAGES, engine_files, engine_root, is_engine
from harness.models import MODELS
from harness.models.registry import model_values
from harness.registry import import_plugins
from harness.selection import parse_single, split_list

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from harness.config import RunConfig
    from harness.graphs.sources import Progress
    from harness.matrix.ablation import Ablation
    from harness.matrix.revision import Revision
    from harness.matrix.shapes import Matrix

PINS = "constraints.txt"
_BESIDE = ("gates", "graphs")


@dataclass(frozen=True)
class Scope:
    """What is to be judged since a revision, and why.

    Attributes:
        revision: the older version, and where files are.
        changes: what became of everything that is trained.
        candidates: names of the candidates that are judged.
        asked: how many candidates there are to choose from.
        models: models that changed and are among those asked for.
        baseline: changed features that the baseline has.
        stale: what is judged where the baseline's trials are void.
    """

    revision: Revision
    changes: Changes
    candidates: tuple[str, ...]
    asked: int
    models: tuple[str, ...]
    baseline: tuple[str, ...]
    stale: Stale

    @property
    def void(self) -> bool:
        """Whether no stored trial of the baseline serves any more."""
        changes = self.changes
        return bool(changes.engine.code or changes.pins or self.models or self.baseline)


def scope_of(config: RunConfig, since: str, stale: Stale, folder: Path) -> Scope:
    """Find the candidates that changes since a revision concern.

    Args:
        config: what could be judged.
        since: the revision.
        stale: what to judge where the baseline's trials are void.
        folder: in the working tree that is compared.

    Raises:
        UsageError: if the revision cannot be read, or something asked for is unknown.
        SlotConflictError: if two features of an arm own one slot.
    """
    revision = open_revision(folder, since)
    import_plugins(split_list(config.plugins))
    for text in split_list(config.models):
        model_values(parse_single(text))
    shape = Shape(config.shape)
    matrix = make_matrix(shape, candidates_of(config.features, shape), baseline_of(config.baseline))
    changes = changes_since(revision)
    return choose(revision, changes, matrix, config.models, stale)


def changes_since(revision: Revision) -> Changes:
    """Compare everything that is registered here with its version in a revision."""
    versions = Versions(read_from_disk, revision.then, is_engine)
    features = {name: _part(name, kind) for name, kind in FEATURES}
    models = {name: _part(name, entry.make) for name, entry in MODELS}
    owners: dict[Path, set[str]] = {}
    for part in features.values():
        owners.setdefault(part.file, set()).add(part.owner)
    earlier = _earlier(revision, {part.file.parent for part in features.values()})
    found = {
        kind: {
            part.name: _compare(versions, revision, part, owners.get(part.file, set()), before)
            for part in parts.values()
        }
        for kind, parts, before in (("features", features, earlier), ("models", models, {}))
    }
    looked = dict.fromkeys(
        file for part in (*features.values(), *models.values()) for file in versions.looked_at(part)
    )
    return Changes(
        features=found["features"],
        models=found["models"],
        deleted=tuple(sorted(earlier.keys() - features.keys())),
        engine=_engine(versions, revision),
        pins=_pins(revision),
        words=tuple(
            file for file in looked if not is_engine(file) and versions.only_words(file)
        ),
    )  # fmt: skip


def choose(
    revision: Revision, changes: Changes, matrix: Matrix, models: str, stale: Stale
) -> Scope:
    """Choose the candidates that changes concern.

    Where the baseline's trials are void that is every one, since each verdict rests on them; with
    ``Stale.CHANGED`` it is those with a changed feature of their own.

    Args:
        revision: that the changes are since.
        changes: what changed.
        matrix: the candidates, and what the baseline has.
        models: selections, by commas.
        stale: what is judged where the baseline's trials are void.
    """
    changed = {name for name, one in changes.features.items() if one.counts}
    used = dict.fromkeys(parse_single(text).name for text in split_list(models))
    names = (name for name in used if name in changes.models and changes.models[name].counts)
    scope = Scope(
        revision=revision,
        changes=changes,
        candidates=(),
        asked=len(matrix.comparisons),
        models=tuple(names),
        baseline=tuple(sorted(one.name for one in matrix.baseline if one.name in changed)),
        stale=stale,
    )
    everything = scope.void and stale is Stale.ALL
    concerned = [
        one.name
        for one in matrix.comparisons
        if everything or changed & {feature.name for feature in one.candidate}
    ]
    return replace(scope, candidates=tuple(concerned))


def prepare_part(config: RunConfig, candidates: Collection[str], progress: Progress) -> Ablation:
    """Lay out and store the plan of an ablation with some of its candidates alone.

    Raises:
        HarnessError: as ``harness.matrix.ablation.prepare``.
        OSError: if the output folder cannot be written.
    """
    whole = lay_out(config, progress)
    features = tuple(one for one in whole.plan.features if one.name in candidates)
    keys = {key for one in features for cell in one.cells for arm in cell.arms for key in arm}
    trials = {key: spec for key, spec in whole.plan.trials.items() if key in keys}
    plan = whole.plan.model_copy(update={"features": features, "trials": trials})
    part = replace(whole, plan=plan, judge=replace(whole.judge, plan=plan))
    part.write_plan(config.out)
    return part


def _part(name: str, source: type | object) -> Part:
    file = Path(inspect.getfile(source)).resolve()  # type: ignore[arg-type]
    module, owner = source.__module__, source.__qualname__.partition(".")[0]  # type: ignore[union-attr]
    return Part(name, file, owner, roots_of(file, module, sys.path))


def _compare(
    versions: Versions, revision: Revision, part: Part, owners: Collection[str],
    earlier: dict[str, Path],
) -> Change:  # fmt: skip
    if is_engine(part.file):
        return Change(How.SAME)  # the engine is compared as a whole
    if not revision.compares(part.file):
        return Change(How.OUTSIDE, (part.file,))
    change = versions.compare(part, owners)
    before = earlier.get(part.name)
    if change.how is How.NEW and before is not None and before != part.file:
        return versions.compare(part, owners, before)
    return change


def _earlier(revision: Revision, folders: Iterable[Path]) -> dict[str, Path]:
    """Features of the revision whose file is gone or another now, in the folders of features."""
    inside = set(folders)
    files = [file for file in revision.files if file.suffix == ".py" and file.parent in inside]
    differing = [file for file in files if read_from_disk(file) != revision.then(file)]
    return registered_in(differing, revision.then)


def _engine(versions: Versions, revision: Revision) -> Engine:
    files = engine_files()
    if not any(map(revision.compares, files)):
        return Engine()
    root = engine_root()
    rooms = {root / room for room in _BESIDE}
    known = {file for file in (*revision.files, *revision.present) if file.is_relative_to(root)}
    python = {file for file in known if file.suffix == ".py"}
    gone = {file for file in python if is_engine(file)}
    beside = {file for file in python - gone if not rooms.isdisjoint(file.parents)}
    return versions.engine(sorted({*files, *gone}), sorted(beside))


def _pins(revision: Revision) -> tuple[str, ...]:
    file = revision.root / PINS
    now, then = (
        (read(file) or b"").decode("utf-8", "replace") for read in (read_from_disk, revision.then)
    )
    return changed_pins(now, then, KEY_PACKAGES)
