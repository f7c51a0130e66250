"""Speed profiles: pytest-benchmark files, and the engine against what a user would write."""
