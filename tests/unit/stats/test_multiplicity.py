from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from evalkit.stats.multiplicity import holm


def test_no_claims_have_no_adjusted_values() -> None:
    assert holm([]).shape == (0,)


def test_adjusted_values_are_those_of_statsmodels() -> None:
    p_values = np.random.default_rng(8).beta(0.5, 2.0, size=40)
    np.testing.assert_allclose(holm(p_values), multipletests(p_values, method="holm")[1], rtol=1e-12)


def test_one_claim_needs_no_correction() -> None:
    assert holm([0.03]).tolist() == [0.03]


def test_adjusted_values_end_at_one() -> None:
    assert holm([0.6, 0.7, 0.001]).tolist() == pytest.approx([1.0, 1.0, 0.003])


@pytest.mark.parametrize("value", [-0.1, 1.2])
def test_a_value_that_is_no_probability_is_named(value: float) -> None:
    with pytest.raises(ValueError, match=rf"p_values is {value}; a p-value lies in \[0, 1\]"):
        holm([0.5, value])


def test_missing_p_values_are_refused() -> None:
    with pytest.raises(ValueError, match=r"p_values has 1 values that are not finite"):
        holm([0.5, float("nan")])
