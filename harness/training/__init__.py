"""One trial: the loop, its metrics, collapse detection, checkpoints, history and diagnostics."""
