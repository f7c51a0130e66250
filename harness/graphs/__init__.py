"""Packed graph data sets, batches and splits."""
