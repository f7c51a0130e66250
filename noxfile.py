"""The project's entry points: ``nox`` alone lints, checks types and runs the tests."""

from __future__ import annotations

from pathlib import Path

import nox

nox.needs_version = ">=2024.10"
nox.options.sessions = ["tests", "lint", "typecheck"]
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = False

PINNED = ("-c", "constraints.txt")
ONE_THREAD = {"OMP_NUM_THREADS": "1"}


def group(name: str) -> list[str]:
    """The requirements of a dependency group."""
    return nox.project.dependency_groups(nox.project.load_toml("pyproject.toml"), name)


def install(session: nox.Session, *groups: str) -> None:
    """Install the project as users get it, at the versions that are tested, and tools beside it.

    torch goes first and by its exact version, so that pip does not weigh other builds of it.
    """
    pins = Path("constraints.txt").read_text("utf-8").splitlines()
    torch = next(pin for pin in pins if pin.startswith("torch=="))
    session.install(torch, *PINNED)
    session.install("-e", ".", *(one for name in groups for one in group(name)), *PINNED)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the fast tests on every core."""
    install(session, "test")
    session.run("pytest", "-n", "auto", *session.posargs, env=ONE_THREAD)


@nox.session
def slow(session: nox.Session) -> None:
    """Run the tests that take minutes."""
    install(session, "test")
    session.run("pytest", "-n", "auto", "-m", "slow", *session.posargs, env=ONE_THREAD)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, format, and that imports point one way."""
    session.install(*group("lint"), *PINNED)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports", "--no-cache")


@nox.session
def typecheck(session: nox.Session) -> None:
    """Check types, strictly."""
    install(session, "test", "typecheck")
    session.run("mypy", *session.posargs)


@nox.session
def ablation(session: nox.Session) -> None:
    """Judge features: ``nox -s ablation -- ARGS`` passes ARGS to ``ablate run``."""
    install(session)
    session.run("ablate", "run", *session.posargs)


@nox.session
def gate(session: nox.Session) -> None:
    """Judge what a change concerns: ``nox -s gate -- ARGS`` passes ARGS to ``ablate gate``."""
    install(session)
    session.run("ablate", "gate", *session.posargs)


@nox.session
def benchmark(session: nox.Session) -> None:
    """Profile speed: pytest-benchmark first, then the engine against PyG alone.

    ``nox -s benchmark -- ARGS`` passes ARGS to pytest, such as --benchmark-compare or -k store;
    ``nox -s benchmark -- --ratios ARGS`` makes the table of ratios alone, with its options.
    """
    install(session, "test")
    words = list(session.posargs)
    if "--ratios" not in words:
        session.run(
            "pytest", "benchmarks", "--benchmark-enable", "--benchmark-only",
            "--benchmark-autosave", "--benchmark-timer=time.process_time",
            "--benchmark-columns=median,iqr,rounds",
            # Nothing stored to compare with, or another machine's figures, is no failure.
            "-W", "default::pytest_benchmark.logger.PytestBenchmarkWarning", *words,
            env=ONE_THREAD,
        )  # fmt: skip
        words = []
    options = [word for word in words if word != "--ratios"]
    session.run("python", "-m", "benchmarks", "ratios", *options, env=ONE_THREAD)
