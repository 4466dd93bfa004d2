"""Alpha spending against the published boundaries of group-sequential trials."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from evalkit.stats.spending import Spending, spent

# Reboussin, DeMets, Kim and Lan (2000), "Computations for group sequential boundaries using the Lan-DeMets
# spending function method", Controlled Clinical Trials 21, 190–207: five equally spaced looks, two-sided 5 %
# (2.5 % a side); also the first example of the R package ldbounds.
BOUNDARIES: dict[Spending, list[float]] = {
    "obrien_fleming": [4.8769, 3.3569, 2.6803, 2.2898, 2.0310],
    "pocock": [2.4380, 2.4268, 2.4101, 2.3966, 2.3859],
}


def first_crossings(boundaries: list[float]) -> np.ndarray:
    """P(Z_k is the first above its boundary), Z_k Brownian motion at k/K over sqrt(k/K); Armitage et al. (1969)."""
    looks = len(boundaries)
    step = np.sqrt(1 / looks)
    grid = np.linspace(-6, 6, 2401)
    crossed, below, density = [], np.array([0.0]), np.array([1.0])
    for look, boundary in enumerate(boundaries, start=1):
        limit = boundary * np.sqrt(look / looks)
        crossed.append(density @ norm.sf(limit - below, scale=step))
        inside = np.append(grid[grid < limit], limit)
        widths = np.diff(inside)
        weights = (np.append(widths, 0) + np.append(0, widths)) / 2  # the trapezoidal rule
        density, below = weights * (norm.pdf(inside[:, np.newaxis] - below, scale=step) @ density), inside
    return np.array(crossed)


@pytest.mark.parametrize("kind", list(BOUNDARIES))
def test_increments_are_the_crossing_probabilities_of_the_published_boundaries(kind: Spending) -> None:
    increments = np.diff([spent(5, look, 0.025, kind) for look in range(6)])
    # The boundaries have four decimals, which leaves 4e-6 of probability open.
    np.testing.assert_allclose(increments, first_crossings(BOUNDARIES[kind]), atol=5e-6)


def test_first_obrien_fleming_look_is_the_published_boundary() -> None:
    """At the first look nothing is conditional: 4.8769 is the quantile of what it spends, 5.4e-7."""
    assert norm.isf(spent(5, 1, 0.025, "obrien_fleming")) == pytest.approx(4.8769, abs=5e-5)
    assert norm.isf(spent(5, 1, 0.025, "pocock")) == pytest.approx(2.4380, abs=5e-5)
