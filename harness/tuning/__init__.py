"""Hyper-parameter search: on *select* of seeds that no gate uses, resumable, by several workers.

The library behind the search is Optuna, an extra: nothing here imports it before a search begins.
"""
