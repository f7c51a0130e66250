"""From stored results to a verdict: pure functions on plain data, no clock, no disk, no torch.

`sequential.decide` is the test itself; `f1_gate`, `collapse` and `time` put one question each to
a cell; `cell` and `verdict` put the answers together. ``docs/STATISTICS.md`` explains why.
"""
