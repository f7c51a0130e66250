"""A whole ablation out of a configuration: data, plan, campaign, references."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.errors import DataError, UsageError
from harness.files import write_json
from harness.gates.complexity import USUAL
from harness.gates.policy import Policy
from harness.graphs.catalog import load
from harness.graphs.dataset import check_content
from harness.graphs.splits import split_by_seed
from harness.hardware import available_cores, describe, device_of
from harness.matrix.auto_size import resolve
from harness.matrix.blocks import TimingSettings
from harness.matrix.campaign import Campaign
from harness.matrix.judge import Judge
from harness.matrix.local import LocalExecutor, fork_server
from harness.matrix.overrides import read_overrides
from harness.matrix.plan import Question, make_plan
from harness.matrix.planned import PLAN_FILE, DataSet, Plan
from harness.matrix.references import measure_references
from harness.matrix.results import Results
from harness.matrix.shapes import Shape, baseline_of, candidates_of, make_matrix
from harness.matrix.store import Store
from harness.matrix.stored import given_up
from harness.models.registry import model_values
from harness.registry import import_plugins
from harness.seal import sealed
from harness.selection import parse_single, split_list

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.config import RunConfig
    from harness.graphs.dataset import PackedGraphs
    from harness.graphs.sources import Progress
    from harness.hardware import Hardware
    from harness.matrix.auto_size import Chosen
    from harness.matrix.events import Event
    from harness.matrix.executor import Executor


@dataclass(frozen=True)
class Ablation:
    """A plan with its store, ready to be run or reported.

    Attributes:
        plan: what is asked.
        store: where results are.
        judge: reads both.
        plugins: Python files that every process imports.
        jobs: trials at once on this machine.
        timeout: seconds after which a trial is killed.
        hardware: that trials run on.
        chosen: the batch size of ``auto``; None where a number was asked for.
    """

    plan: Plan
    store: Store
    judge: Judge
    plugins: tuple[str, ...]
    jobs: int
    timeout: float
    hardware: Hardware
    chosen: Chosen | None = None

    def write_plan(self, out: Path) -> None:
        """Write the plan, and a batch size that was chosen, so that they outlast this process.

        Raises:
            OSError: if the folder cannot be written.
        """
        if self.chosen is not None:
            self.chosen.keep()
        write_json(out / PLAN_FILE, sealed(self.plan.model_dump(mode="json")))

    def local(self) -> LocalExecutor:
        """The executor of this machine."""
        return LocalExecutor(self.store, self.jobs, self.timeout, self.plugins)

    def run(self, listen: Callable[[Event], None], executor: Executor | None = None) -> None:
        """Run what the plan needs and the store lacks.

        Args:
            listen: told of everything that happens.
            executor: runs the trials; None for this machine's own.

        Raises:
            StoreError: if a stored result is damaged.
            OSError: if the store cannot be written.
        """
        Campaign(self.judge, self.local() if executor is None else executor, listen).run()
        # As whoever opens the store afterwards sees it.
        self.judge.failed |= given_up(self.plan, self.store)
        measure_references(
            self.store, self.judge.results.folders, self._seeds(), fork_server(), self.jobs
        )

    def _seeds(self) -> dict[str, list[int]]:
        """Splits that the baseline was judged on, by data set."""
        seeds: dict[str, set[int]] = {data: set() for data in self.plan.data}
        for key, spec in self.plan.trials.items():
            if spec.arm == self.plan.baseline and self.judge.results.has(key):
                seeds[spec.data].add(spec.seed)
        return {data: sorted(found) for data, found in seeds.items()}


def prepare(config: RunConfig, progress: Progress) -> Ablation:
    """Load or build the data, lay the plan out and write it to the output folder.

    Raises:
        HarnessError: if anything asked for is unknown, contradictory or unreadable; nothing is
            trained then.
        OSError: if the output folder cannot be written.
    """
    ablation = lay_out(config, progress)
    ablation.write_plan(config.out)
    return ablation


def lay_out(config: RunConfig, progress: Progress) -> Ablation:
    """Load or build the data and lay the plan out; the output folder is read and not written.

    Raises:
        HarnessError: if anything asked for is unknown, contradictory or unreadable.
    """
    plugins = import_plugins(split_list(config.plugins))
    # Where a cluster trains, this machine needs no GPU of its own.
    on_cluster = config.executor == "ray"
    hardware = describe("cpu" if on_cluster else config.device, config.threads)
    kinds = split_list(config.hardware) or [hardware.kind]
    models = [parse_single(text) for text in split_list(config.models)]
    if not models:
        raise UsageError("no model is selected", where="--models", mend="name some: --models gcn")
    shape = Shape(config.shape)
    candidates = candidates_of(config.features, shape)
    baseline = baseline_of(config.baseline)
    overrides = read_overrides(config.overrides)
    # Building data can take a minute: what is wrong with the question is said before.
    for model in models:
        model_values(model)
    for compared in make_matrix(shape, candidates, baseline).comparisons:
        for feature in compared.arm:
            feature.inputs_key()
    data = {}
    folders = {}
    for text in split_list(config.data):
        graphs, folder = load_stored(text, config.data_root, progress)
        _check_that_it_splits(graphs, text)
        folders[graphs.content] = folder
        data[graphs.content] = (
            DataSet(
                name=graphs.info.name,
                source=text,
                folder=str(folder),
                graphs=len(graphs),
                vulnerable=int((graphs.label == 1).sum()),
                notes=graphs.info.notes,
            ),
            graphs,
        )
    store = Store(config.out)
    cores = max(1, available_cores() // config.threads)
    jobs = cores if on_cluster else config.jobs or cores
    sets = {dataset.name: graphs for dataset, graphs in data.values()}
    config, chosen = resolve(config, models, sets, store.cache, jobs)
    asked = Question(
        candidates=candidates,
        baseline=baseline,
        models=models,
        settings=config.training,
        timing=TimingSettings(epochs=config.timing_epochs, blocks=config.timing_blocks),
        policy=Policy(config.policy),
        budget=config.seeds,
        all_gates=config.all_gates,
        hardware=hardware,
        required_hardware=kinds,
        complexity=replace(USUAL, **config.complexity.limits),
        overrides=overrides,
        shape=shape,
        devices={kind: device_of(kind) for kind in kinds} if on_cluster else {},
    )
    plan = make_plan(asked, data)
    judge = Judge(plan, store, Results(store, folders))
    return Ablation(plan, store, judge, plugins, jobs, config.timeout, hardware, chosen)


def _check_that_it_splits(graphs: PackedGraphs, text: str) -> None:
    """Raise now what every trial would fail with.

    Raises:
        DataError: if the data cannot be split, naming them.
    """
    try:
        split_by_seed(graphs.label, graphs.group, seed=0)
    except DataError as error:
        raise DataError(error.what, where=text, mend=error.mend) from error


def load_stored(text: str, root: Path, progress: Progress) -> tuple[PackedGraphs, Path]:
    """Load a data set, and name the folder that other processes open it from.

    Raises:
        DataError: if the source keeps its data in memory alone.
    """
    graphs = load(text, root, progress)
    if graphs.folder is None:
        raise DataError.at(text, "is not stored in a folder, so trials cannot open it")
    check_content(graphs, graphs.folder)
    return graphs, graphs.folder.resolve()
