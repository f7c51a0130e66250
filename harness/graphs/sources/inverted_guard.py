"""The embedded default: Python functions whose guards are as they were, or one is inverted."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from harness.graphs.build import Sample, pack
from harness.graphs.code import python
from harness.graphs.code.graph import UnreadableCodeError
from harness.graphs.sources.base import (
    Limit,
    NumTokens,
    Progress,
    Source,
    installed,
    register_source,
)
from harness.graphs.sources.corpora import PACKAGES, STDLIB, Corpus, locate
from harness.graphs.sources.guards import invertible_guards, without_docstring
from harness.graphs.sources.records import READ
from harness.hashing import unit_interval

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterator

    from harness.graphs.dataset import PackedGraphs

MIN_NODES = 30
MAX_NODES = 400
POSITIVE_SHARE = 0.27

# Inverting a call adds a UnaryOp and a Not, which must take no function out of the data.
_ADDED = 2

# What every guard looks like in the text: with a colon, at most blanks and comments, and a raise.
_MAYBE_GUARD = re.compile(rb":(?:\s|#[^\n]*\n|\\\r?\n)*+raise\b")

NOTE = (
    "The defects are injected: vulnerable functions are sound ones of installed Python packages "
    "in which one check before a raise was inverted."
)


@register_source
class InvertedGuard(Source):
    """Functions of installed Python packages; in the vulnerable ones one guard is inverted.

    A guard is an ``if`` without ``else`` whose body is one ``raise``. Functions with a guard
    whose test is ``not E``, one comparison by ``is``, ``is not``, ``==``, ``!=``, ``in`` or
    ``not in``, or a bare call are taken. In 27 % of them one such guard, drawn by content hash,
    lets through what it should stop (like CWE-697). One version of each function, duplicates
    removed, 30 to 400 nodes, grouped by file. The graph is the syntax tree with next-sibling,
    next-use and statement edges.

    The data is made on this machine, out of the packages that the harness itself installs, and
    follows their versions: the same versions give the same data. No code of theirs is run. What
    is made stays under their licences (BSD, MIT, PSF, Apache and the like) and is not passed on.

    Limits: the defects are injected, so a score says how well a pattern is learned, and not how
    well vulnerabilities of the field are found.
    """

    name: ClassVar[str] = "inverted_guard"

    limit: Limit = 8000
    packages: str = Field(
        "", description="import names separated by blanks; empty: what the harness installs"
    )
    num_tokens: NumTokens = 1024

    def key(self) -> str:
        """Hash of the packages' versions, Python's version and the options."""
        return self.key_of(self._content(), self._versions())

    def build(self, progress: Progress) -> PackedGraphs:
        """Read every package's files, one after the other."""
        counts: Counter[str] = Counter()
        info = self.info(
            num_types=python.NUM_TYPES,
            num_tokens=self.num_tokens,
            symmetric=True,
            notes=(NOTE,),
            versions=self._versions(),
        )
        samples = self._samples(counts, progress)
        return pack(samples, info, counts, max_nodes=MAX_NODES + _ADDED, limit=self.limit)

    def _names(self) -> list[str]:
        return self.packages.split() or [STDLIB, *PACKAGES]

    def _versions(self) -> dict[str, str]:
        known = {PACKAGES[name] for name in self._names() if name in PACKAGES}
        return {name: version for name, version in installed(sorted(known)).items() if version}

    def _content(self) -> str:
        """Hash of the files of packages whose version is not known."""
        digest = hashlib.sha256()
        for name in self._names():
            corpus = None if name == STDLIB or name in PACKAGES else locate(name)
            for file in corpus.files if corpus else ():
                digest.update(hashlib.sha256(file.read_bytes()).digest())
        return digest.hexdigest()

    def _samples(self, counts: Counter[str], progress: Progress) -> Iterator[Sample]:
        corpora = [corpus for name in self._names() if (corpus := locate(name)) is not None]
        total = sum(len(corpus.files) for corpus in corpora)
        done = 0
        seen: set[bytes] = set()
        for corpus in corpora:
            for file in corpus.files:
                progress(done, total, "files")
                done += 1
                content = file.read_bytes()
                digest = hashlib.sha256(content).digest()
                if digest in seen:
                    counts["modules: copies of another"] += 1
                    continue
                seen.add(digest)
                group = f"{corpus.name}/{file.relative_to(corpus.root).as_posix()}"
                yield from self._of_module(content, group, counts, corpus)
        progress(total, total, "files")

    def _of_module(
        self, content: bytes, group: str, counts: Counter[str], corpus: Corpus
    ) -> Iterator[Sample]:
        if not _MAYBE_GUARD.search(content):
            counts["modules: without a guard"] += 1
            return
        try:
            module = python.parse(content)
        except UnreadableCodeError as error:
            counts[f"modules: {error}"] += 1
            return
        for function in python.functions(module):
            counts[READ] += 1
            try:
                yield self._sample(function, group, corpus.name)
            except UnreadableCodeError as error:
                counts[str(error)] += 1

    def _sample(
        self, function: ast.FunctionDef | ast.AsyncFunctionDef, group: str, package: str
    ) -> Sample:
        without_docstring(function)
        guards = invertible_guards(function)
        if not guards:
            raise UnreadableCodeError("no guard that can be inverted")
        tree = python.read(function, MAX_NODES)
        if len(tree) < MIN_NODES:
            raise UnreadableCodeError(f"the graph has fewer than {MIN_NODES} nodes")
        key = tree.key()
        label = int(unit_interval(f"label {key}") < POSITIVE_SHARE)
        if label:
            guards[int(unit_interval(f"guard {key}") * len(guards))]()
            tree = python.read(function, MAX_NODES + _ADDED)
        return Sample(
            graph=python.graph(tree, self.num_tokens),
            label=label,
            group=group,
            text_key=tree.key(),
            tags={"package": package},
        )
