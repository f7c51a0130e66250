"""``python -m harness`` is the ``ablate`` command."""

from harness.cli import main

main()
