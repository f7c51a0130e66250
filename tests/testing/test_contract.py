"""Every built-in feature keeps the contract, alone and beside each other one."""

from __future__ import annotations

import importlib.util
from itertools import combinations

import pytest

from harness.errors import UsageError
from harness.feature import FEATURES
from harness.testing import CLAUSES, check_feature, check_pair

BUILT_IN = [name for name, feature in FEATURES if feature.__module__.startswith("features.")]
EXTRAS = {"hpo": ("optuna", "plotly")}
AT_OTHER_VALUES = [
    "amp[dtype=bf16]",
    "amp[dtype=fp16]",
    "swa[start=0]",
    "swa[start=0.4,anneal=0]",
    "swa[average=ema]",
    "swa[average=ewa,start=0]",
    "ensemble[by=bagging,members=2]",
    "ensemble[by=architecture,members=2]",
    "tensorboard[every_steps=1]",
    "focal_loss[gamma=0.5]",
    "lr_finder[expiry_days=0,steps=10]",
    "grad_accumulation[steps=1]",
    "grad_accumulation[steps=3]",
    "gradual_unfreezing[alone=0]",
    "gradual_unfreezing[alone=2,every=2,keep=1]",
    "param_groups[encoder=0]",
]


def case(*features):
    """Parameters of a test; skipped where the extra of one of the features is not installed."""
    wanted = [package for name in features for package in EXTRAS.get(name, ())]
    missing = [package for package in wanted if importlib.util.find_spec(package) is None]
    skip = pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")
    # Every fit of ddp starts processes: alone by day, beside each other feature at night.
    slow = [pytest.mark.slow] if "ddp" in features and len(features) > 1 else []
    return pytest.param(*features, marks=[skip, *slow], id="+".join(features))


@pytest.mark.parametrize("clause", CLAUSES)
@pytest.mark.parametrize("feature", [case(name) for name in BUILT_IN])
def test_a_built_in_feature_keeps_every_clause(feature, clause):
    check_feature(feature, clauses=[clause])


@pytest.mark.parametrize("feature", AT_OTHER_VALUES)
def test_it_does_so_at_other_values(feature):
    clauses = ["trains_on_every_model", "works_with_clipping", "resume_is_exact"]
    check_feature(feature, clauses=clauses, models=["gin"])


@pytest.mark.parametrize(("first", "second"), [case(*pair) for pair in combinations(BUILT_IN, 2)])
def test_two_built_in_features_train_together_or_are_refused(first, second):
    check_pair(first, second)


def test_averaging_from_the_first_epoch_goes_with_scaled_gradients():
    assert check_pair("amp[dtype=fp16]", "swa[start=0]", models=["gin"])
    assert check_pair("amp[dtype=fp16]", "swa[start=0,average=ema]", models=["gin"])


@pytest.mark.parametrize("other", BUILT_IN)
def test_every_built_in_feature_goes_into_bags(other):
    if other not in ("ensemble", "ddp"):  # distributed members: tests/features/test_ddp.py
        assert check_pair("ensemble[by=bagging,members=2]", other, models=["gin"])


def test_an_unknown_clause_is_named():
    with pytest.raises(UsageError, match="no clause 'no_such'"):
        check_feature("amp", clauses=["no_such"])
