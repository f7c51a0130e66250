"""An output folder opened to be reported on; neither torch nor any model is loaded for it."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from harness.errors import DataError, first_problem
from harness.files import read_json
from harness.matrix.judge import Judge
from harness.matrix.planned import PLAN_FILE, Plan
from harness.matrix.results import Results
from harness.matrix.sound import plan_problem
from harness.matrix.store import Store
from harness.seal import unsealed

_AGAIN = "run ablate run --out DIR again"
ATTEMPTS = {"killed": 2, "timeout": 1, "error": 1, "damaged": 3, "lost": 10}


def open_stored(out: Path) -> Judge:
    """Open an output folder to report on it as it is now; nothing is trained, no source is needed.

    Raises:
        DataError: if there is no plan in it, or it is damaged.
    """
    path = out / PLAN_FILE
    if not path.is_file():
        raise DataError.at(
            path, "there is no plan to report on", mend="run first: ablate run --out DIR"
        )
    try:
        plan = Plan.model_validate(unsealed(read_json(path)))
    except ValidationError as error:
        field, what, _ = first_problem(error)
        raise DataError.at(path, what, field=field, mend=_AGAIN) from error
    except DataError as error:
        raise DataError(error.what, where=error.where, mend=_AGAIN) from error
    except ValueError as error:
        raise DataError.at(path, str(error), mend=_AGAIN) from error
    problem = plan_problem(plan)
    if problem:
        raise DataError.at(path, problem, mend=_AGAIN)
    folders = {content: Path(data.folder) for content, data in plan.data.items()}
    store = Store(out)
    finished = set(filter(store.finished, store.keys()))
    return Judge(plan, store, Results(store, folders, finished), given_up(plan, store))


def given_up(plan: Plan, store: Store) -> set[str]:
    """Keys of the plan's trials that failed as often as a campaign tries them.

    No trial is done by that: the next campaign begins with none of these and tries them anew.
    """
    found = set()
    for key in plan.trials.keys() & store.failed():
        failure = store.failure(key)
        if failure is None or store.finished(key):
            continue
        if failure.attempts >= ATTEMPTS.get(failure.kind, 1):
            found.add(key)
    return found
