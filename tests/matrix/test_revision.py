"""Files of a git revision beside those of the working tree, with real repositories."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from harness.errors import UsageError
from harness.matrix import revision
from harness.matrix.revision import open_revision


@pytest.fixture
def git(tmp_path, monkeypatch):
    """Run git in a folder of the test's own, with no configuration but its own."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "a tester")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "tester@example.org")

    def run(*arguments, at="repo"):
        folder = tmp_path / at
        folder.mkdir(exist_ok=True)
        done = subprocess.run(
            [shutil.which("git"), "-c", "protocol.file.allow=always", *map(str, arguments)],
            cwd=folder, check=True, capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout.strip()

    return run


@pytest.fixture
def repo(git, tmp_path):
    """A repository with one commit of two files."""
    git("init", "-q", "-b", "main")
    folder = tmp_path / "repo"
    (folder / "a.py").write_text("a = 1\n")
    (folder / "sub").mkdir()
    (folder / "sub" / "b b\u00e9.py").write_text("b = 1\n")
    (folder / ".gitignore").write_text("ignored*\n")
    git("add", "-A")
    git("commit", "-q", "-m", "first one")
    return folder


def test_both_versions_of_a_file_are_there(repo):
    (repo / "a.py").write_text("a = 2\n")
    (repo / "new.py").write_text("")
    (repo / "ignored.py").write_text("i = 1\n")
    found = open_revision(repo / "sub", "HEAD")
    assert found.root == repo.resolve()
    assert found.then(repo / "a.py") == b"a = 1\n"
    assert found.then(repo / "sub" / "b b\u00e9.py") == b"b = 1\n"
    assert found.then(repo / "new.py") is None
    assert found.shown(repo / "sub" / "b b\u00e9.py") == "sub/b b\u00e9.py"
    assert [found.compares(repo / name) for name in ("a.py", "new.py", "ignored.py")] == [
        True, True, False,
    ]  # fmt: skip
    # What cannot be compared is taken as it is, so that it is no change.
    assert found.then(repo / "ignored.py") == b"i = 1\n"


def test_a_deleted_file_is_still_in_the_revision(repo):
    (repo / "a.py").unlink()
    found = open_revision(repo, "HEAD")
    assert found.then(repo / "a.py") == b"a = 1\n"
    assert repo / "a.py" in found.files


@pytest.mark.parametrize("given", ["HEAD", "main", "@", "v1", ":/first one", "HEAD^{/first}"])
def test_a_revision_is_whatever_git_understands(repo, git, given):
    git("tag", "-a", "v1", "-m", "annotated")
    found = open_revision(repo, given)
    assert found.commit == git("rev-parse", "HEAD")
    assert found.commit[:10] in found.name


@pytest.mark.parametrize(
    "given",
    ["--help", "-h", "--upload-pack=touch x", "", "  ", "a b", "HEAD~7", "main..HEAD", "0" * 40,
     "HEAD:a.py", "x\ny", "x\0y", "$(touch x)", "; touch x"],
)  # fmt: skip
def test_what_is_no_revision_is_said_and_nothing_is_run(repo, given):
    with pytest.raises(UsageError, match="revision") as caught:
        open_revision(repo, given)
    assert "--since" in caught.value.where
    assert caught.value.mend
    assert not list(repo.glob("x*"))


def test_no_repository_no_commit_no_git(tmp_path, git, repo, monkeypatch):
    (tmp_path / "plain").mkdir()
    with pytest.raises(UsageError, match="no working tree of a git repository"):
        open_revision(tmp_path / "plain", "HEAD")
    git("init", "-q", at="empty")
    with pytest.raises(UsageError, match="no such revision"):
        open_revision(tmp_path / "empty", "HEAD")
    git("init", "-q", "--bare", at="bare")
    with pytest.raises(UsageError, match="no working tree"):
        open_revision(tmp_path / "bare", "HEAD")
    monkeypatch.setenv("PATH", str(tmp_path / "plain"))
    with pytest.raises(UsageError, match="git is not installed"):
        open_revision(repo, "HEAD")


def test_git_that_never_answers_is_given_up(tmp_path, repo, monkeypatch):
    monkeypatch.setattr(revision, "_SECONDS", 0.2)
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\nexec sleep 20\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    with pytest.raises(UsageError, match=r"nothing for 0\.2 seconds"):
        open_revision(repo, "HEAD")


def test_a_shallow_clone_says_how_to_get_its_history(repo, git, tmp_path):
    (repo / "a.py").write_text("a = 2\n")
    git("commit", "-qam", "second")
    git("clone", "-q", "--depth", "1", repo.as_uri(), "../shallow")
    assert open_revision(tmp_path / "shallow", "HEAD").files
    with pytest.raises(UsageError, match="shallow") as caught:
        open_revision(tmp_path / "shallow", "HEAD~1")
    assert "--unshallow" in caught.value.mend


def test_detached_heads_worktrees_and_hooks(repo, git, tmp_path, monkeypatch):
    git("checkout", "-q", "--detach")
    git("worktree", "add", "-q", "../tree", "HEAD")
    (tmp_path / "tree" / "a.py").write_text("a = 3\n")
    # A hook of another repository sets this.
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    found = open_revision(tmp_path / "tree", "HEAD")
    assert found.root == (tmp_path / "tree").resolve()
    assert found.then(found.root / "a.py") == b"a = 1\n"


def test_files_of_a_submodule_are_compared_with_the_commit_that_was_pinned(repo, git, tmp_path):
    git("clone", "-q", repo.as_uri(), "../other")
    git("submodule", "add", "-q", (tmp_path / "other").as_uri(), "module")
    git("commit", "-qm", "with a submodule")
    inside = repo / "module" / "a.py"
    inside.write_text("a = 4\n")
    git("commit", "-qam", "inside", at="repo/module")
    (repo / "module" / "untracked.py").write_text("")
    found = open_revision(repo, "HEAD")
    assert found.then(inside) == b"a = 1\n"
    assert found.compares(inside)
    assert found.then(repo / "module" / "untracked.py") is None
    assert found.compares(repo / "module" / "untracked.py")
    assert open_revision(repo, "HEAD~1").then(inside) is None


def test_another_repository_that_merely_lies_here_is_not_compared(repo, git):
    git("init", "-q", at="repo/nested")
    (repo / "nested" / "c.py").write_text("c = 1\n")
    found = open_revision(repo, "HEAD")
    assert not found.compares(repo / "nested" / "c.py")
    assert found.then(repo / "nested" / "c.py") == b"c = 1\n"


def test_links_are_no_files_of_a_revision(repo, git):
    (repo / "link.py").symlink_to("a.py")
    git("add", "-A")
    git("commit", "-qm", "a link")
    assert repo / "link.py" not in open_revision(repo, "HEAD").files
