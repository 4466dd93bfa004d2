"""Published intervals and p-values for paired tables (both, student only, teacher only, neither)."""

from __future__ import annotations

import pytest

from evalkit.stats.interval import Interval
from evalkit.stats.mcnemar import mid_p
from evalkit.stats.paired_counts import PairedCounts
from evalkit.stats.paired_difference import difference
from evalkit.stats.retention import retention


def table(both: int, student_only: int, teacher_only: int, neither: int) -> PairedCounts:
    return PairedCounts(both=both, student_only=student_only, teacher_only=teacher_only, neither=neither)


def assert_bounds(estimate: object, lower: float, upper: float, decimals: int) -> None:
    assert isinstance(estimate, Interval)
    half_unit = 0.5 * 10**-decimals + 1e-12
    assert estimate.lower == pytest.approx(lower, abs=half_unit)
    assert estimate.upper == pytest.approx(upper, abs=half_unit)


def test_tango_interval_matches_table_vii_of_tango_1998() -> None:
    assert_bounds(difference(table(4, 9, 3, 16), level=0.95), -0.027, 0.390, decimals=3)


def test_tango_interval_matches_table_v_of_tango_1998() -> None:
    assert_bounds(difference(table(43, 0, 1, 0), level=0.90), -0.096, 0.037, decimals=3)


def test_tango_interval_matches_agresti_and_min_2005() -> None:
    assert_bounds(difference(table(53, 16, 8, 9), level=0.95), -0.020, 0.207, decimals=3)


def test_tango_interval_matches_fagerland_lydersen_and_laake_2014() -> None:
    assert_bounds(difference(table(1, 1, 7, 12), level=0.95), -0.517, -0.026, decimals=3)


def test_tango_interval_matches_tang_2010() -> None:
    assert_bounds(difference(table(8, 3, 1, 2), level=0.95), -0.1670, 0.4327, decimals=4)


def test_tango_interval_matches_the_camis_comparison_of_sas_and_r() -> None:
    assert_bounds(difference(table(20, 15, 6, 5), level=0.95), 0.000419, 0.377185, decimals=6)


def test_tango_interval_matches_the_r_package_contingencytables_on_cavo_2012() -> None:
    """contingencytables, tests/testthat/test-ch8.R, after Fagerland, Lydersen and Laake (2017), chapter 8."""
    assert_bounds(difference(table(59, 6, 16, 80), level=0.95), -0.1240, -0.0054, decimals=4)


def test_retention_interval_matches_the_r_package_contingencytables_on_cavo_2012() -> None:
    """contingencytables, tests/testthat/test-ch8.R: Tang asymptotic score interval, estimate 0.8667."""
    kept = retention(table(59, 6, 16, 80), level=0.95)
    assert_bounds(kept, 0.7476, 0.9876, decimals=4)
    assert isinstance(kept, Interval)
    assert kept.point == pytest.approx(65 / 75)


def test_retention_interval_matches_delrocco_2022() -> None:
    """As cited in the tests of the R package ratesci (tests of pairbinci, method Score_closed)."""
    assert_bounds(retention(table(1, 1, 7, 12), level=0.95), 0.0653, 0.9069, decimals=4)


@pytest.mark.parametrize(
    ("counts", "lower", "upper"),
    [(table(446, 5, 16, 690), 0.958, 0.992), (table(43, 0, 1, 0), 0.904, 1.039)],
)
def test_retention_interval_matches_the_examples_of_tang_2003(counts: PairedCounts, lower: float, upper: float) -> None:
    """The examples of Tang, Tang and Chan (2003), as recomputed in the tests of the R package ratesci."""
    assert_bounds(retention(counts, level=0.90), lower, upper, decimals=3)


@pytest.mark.parametrize(
    ("counts", "published", "decimals"),
    [
        (table(1, 1, 7, 12), 0.0391, 4),  # Fagerland, Lydersen and Laake 2014
        (table(59, 6, 16, 80), 0.034690, 6),  # R package contingencytables, test-ch8.R
    ],
)
def test_mcnemar_mid_p_matches_the_published_value(counts: PairedCounts, published: float, decimals: int) -> None:
    assert mid_p(counts) == pytest.approx(published, abs=0.5 * 10**-decimals)
