"""Simulated gates: thousands of known truths put to the very code that judges real runs."""
