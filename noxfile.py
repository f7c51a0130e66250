"""The project's entry points: ``nox`` alone lints, checks types and runs the tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import nox
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable

nox.needs_version = ">=2024.10"
nox.options.sessions = ["tests", "lint", "typecheck"]
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = False

PINNED = ("-c", "constraints.txt")
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
# Tests that share a cluster stay in one process.
ON_EVERY_CORE = ("-n", "auto", "--dist", "loadgroup")


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


def s3_server(session: nox.Session) -> dict[str, str]:
    """Install the S3 server of the tests beside the session, and say where it is."""
    folder = Path(session.virtualenv.location).absolute().with_name("s3-server")
    if not (folder / "bin" / "moto_server").exists():
        session.run("python", "-m", "venv", str(folder))
        pip = str(folder / "bin" / "pip")
        session.run(pip, "install", "-q", "-r", "tests/sharing/moto.txt", external=True)
    return {"ABLATION_MOTO_SERVER": str(folder / "bin" / "moto_server")}


@nox.session
def tests(session: nox.Session) -> None:
    """Run the fast tests on every core."""
    install(session, "test")
    session.run("pytest", *ON_EVERY_CORE, *session.posargs, env=ONE_THREAD | s3_server(session))


@nox.session
def slow(session: nox.Session) -> None:
    """Run the tests that take minutes."""
    install(session, "test")
    environment = ONE_THREAD | s3_server(session)
    session.run("pytest", *ON_EVERY_CORE, "-m", "slow", *session.posargs, env=environment)


@nox.session
def smoke(session: nox.Session) -> None:
    """Train every feature on every model: 64 graphs for 10 epochs, the default data for 3."""
    install(session, "test")
    words = ("pytest", "-n", "auto", *session.posargs)
    session.run(*words, "tests/testing", "-k", "trains_on_every_model", env=ONE_THREAD)
    session.run(*words, "-m", "slow", "tests/smoke", env=ONE_THREAD)


@nox.session
def faults(session: nox.Session) -> None:
    """Break campaigns in every way and compare to the bit: half an hour, meant for the night.

    ``nox -s faults -- ARGS`` passes ARGS to ``python -m tests.faults``, such as --kills 20.
    """
    install(session, "test")
    session.run("python", "-m", "tests.faults", *session.posargs, env=ONE_THREAD)


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
def docs(session: nox.Session) -> None:
    """Build the documentation's site into site/; a link that leads nowhere is an error."""
    session.install(*group("docs"), *PINNED)
    session.run("zensical", "build", "--strict", "--clean", *session.posargs)


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
def calibrate(session: nox.Session) -> None:
    """Put known answers to the gates, in full: real runs, 2,000 simulated gates, 200 real ones.

    ``nox -s calibrate -- ARGS`` passes ARGS to ``ablate calibrate`` instead.
    """
    install(session, "test")
    words = session.posargs or ("--simulate", "2000", "--gates", "200")
    session.run("ablate", "calibrate", *words)
    if not session.posargs:
        session.run("pytest", "-m", "slow", "tests/gates", env=ONE_THREAD)


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


@nox.session
def fuzz(session: nox.Session) -> None:
    """Feed damaged files to every reader for half an hour; for nightly runs.

    ``nox -s fuzz -- ARGS`` passes ARGS to ``python -m tests.fuzz``, such as --target packed;
    --guided installs atheris, which has no wheels for every system.
    """
    words = session.posargs or ("--minutes", "30")
    install(session, "test", *(["fuzz"] if "--guided" in words else []))
    session.run("python", "-m", "tests.fuzz", *words, env=ONE_THREAD)


def lower_bounds(requirements: Iterable[str], pins: Iterable[str]) -> list[str]:
    """The lowest version of each requirement, as pins.

    Args:
        requirements: as pyproject.toml gives them, each with one ``>=``.
        pins: ``name==version`` that are taken as they are.

    Raises:
        ValueError: if a requirement has no lower bound.
    """
    taken = {canonicalize_name(pin.partition("==")[0]): pin for pin in pins}
    found = []
    for text in requirements:
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        bounds = [one.version for one in requirement.specifier if one.operator == ">="]
        if name not in taken and len(bounds) != 1:
            raise ValueError(f"{text} names no lowest version")
        found.append(taken.get(name) or f"{name}=={bounds[0]}")
    return found


@nox.session
def lowest(session: nox.Session) -> None:
    """Run the fast tests with each dependency at the lowest version that pyproject.toml allows.

    torch stays at the version that is tested: its builds are large, and its lower bound is a
    release whose wheels come with CUDA. What dependencies bring themselves is as new as it can be.
    """
    pins = Path("constraints.txt").read_text("utf-8").splitlines()
    torch = next(pin for pin in pins if pin.startswith("torch=="))
    project = nox.project.load_toml("pyproject.toml")["project"]
    extras = [one for extra in project["optional-dependencies"].values() for one in extra]
    ours = lower_bounds([*project["dependencies"], *extras], [torch])
    names = {canonicalize_name(pin.partition("==")[0]) for pin in ours}
    tools = {canonicalize_name(Requirement(text).name) for text in group("test")} - names
    kept = [pin for pin in pins if canonicalize_name(pin.partition("==")[0]) in tools]
    # create_tmp() would have the tests write below the checkout, where there is a repository.
    bounds = Path(session.virtualenv.location) / "lowest.txt"
    bounds.write_text("\n".join([*ours, *kept]), "utf-8")
    session.install(torch, "-c", str(bounds))
    session.install("-e", ".", *group("test"), "-c", str(bounds))
    # Files that the oldest Ray leaves open are not ours.
    theirs = ("-W", "default::pytest.PytestUnraisableExceptionWarning")
    environment = ONE_THREAD | s3_server(session)
    session.run("pytest", *ON_EVERY_CORE, *theirs, *session.posargs, env=environment)
