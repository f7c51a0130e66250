"""Where a study is kept: in memory, in a journal file, or in a database."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from optuna.exceptions import (
    DuplicatedStudyError,
    ExperimentalWarning,
    StorageInternalError,
)
from optuna.storages import InMemoryStorage, JournalStorage, RDBStorage
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from harness.errors import DataError, UsageError
from harness.tuning.alive import Workers
from harness.tuning.journal import LockedJournal

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

JOURNAL = "study.journal"
HEARTBEAT_SECONDS = 30
GRACE_SECONDS = 120

_KINDS = (
    "give a path of a journal file or a database's URL: sqlite:///study.db, "
    "postgresql+psycopg://user@host/name"
)

_NO_STUDY = (
    ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError,
    ValueError, DuplicatedStudyError,
)  # fmt: skip


@dataclass(frozen=True)
class Storage:
    """An open storage.

    Attributes:
        where: how to name it to the user, passwords left out.
        optuna: the library's object.
        workers: who is alive.
        heartbeats: whether the storage itself knows who is alive.
    """

    where: str
    optuna: BaseStorage
    workers: Workers
    heartbeats: bool = False

    def close(self) -> None:
        """Give a database's connections back; what is stored stays."""
        if isinstance(self.optuna, RDBStorage):
            self.optuna.remove_session()
            self.optuna.engine.dispose()


def open_storage(text: str, folder: Path | None) -> Storage:
    """Open a storage, made if it is not there.

    Args:
        text: path of a journal file or URL of a database; "" takes ``study.journal`` in the folder.
        folder: None keeps the study in memory where ``text`` is empty.

    Raises:
        UsageError: if it cannot be reached, or its driver is not installed.
        DataError: if the journal holds what is no study.
    """
    if "://" in text:
        return _database(text)
    if text:
        path = Path(text).expanduser()
        if not path.parent.is_dir():
            raise UsageError(
                f"there is no folder '{path.parent}'",
                where=f"storage '{text}'",
                mend=f"make it, or {_KINDS}",
            )
    elif folder is None:
        return Storage("memory", InMemoryStorage(), Workers(None))
    else:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / JOURNAL
    try:
        journal = JournalStorage(LockedJournal(path))
    except OSError as error:
        raise UsageError(
            f"cannot be written: {error.strerror}", where=f"storage '{path}'", mend=_KINDS
        ) from error
    except _NO_STUDY as error:  # the library reads every line at once, and trusts each
        raise DataError.at(
            path,
            f"is no study: {type(error).__name__}: {error}",
            mend="name another storage, or another folder",
        ) from error
    return Storage(str(path), journal, Workers(path.with_name(f"{path.name}.workers")))


def _database(url: str) -> Storage:
    where = _shown(url)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            database = RDBStorage(
                url, heartbeat_interval=HEARTBEAT_SECONDS, grace_period=GRACE_SECONDS
            )
    except ImportError as error:
        raise UsageError(
            "its driver is not installed",
            where=f"storage '{where}'",
            mend=f"install it, or {_KINDS}",
        ) from error
    except (SQLAlchemyError, StorageInternalError, ValueError, RuntimeError, OSError) as error:
        reason = str(error).splitlines()[0].replace(url, where)
        raise UsageError(
            f"cannot be opened: {reason}", where=f"storage '{where}'", mend=_KINDS
        ) from error
    return Storage(where, database, Workers(None), heartbeats=True)


def _shown(url: str) -> str:
    """A URL without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return f"{url.partition('://')[0]}://..."
