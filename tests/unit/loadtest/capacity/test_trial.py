import pytest

from loadtest.capacity.trial import Side, side_of


@pytest.mark.parametrize(
    ("requests", "over", "confidence", "side"),
    [
        (459, 0, 0.99, Side.UNDER),  # LoadGen: 459 requests without a miss certify p99 at 99 %
        (458, 0, 0.99, Side.UNCLEAR),
        (662, 1, 0.99, Side.UNDER),
        (661, 1, 0.99, Side.UNCLEAR),
        (299, 0, 0.95, Side.UNDER),
        (1000, 10, 0.95, Side.UNCLEAR),
        (100, 4, 0.95, Side.OVER),  # P(X ≥ 4) of Binomial(100, 0.01) is 0.0184, P(X ≥ 3) is 0.0794
        (100, 3, 0.95, Side.UNCLEAR),
        (1, 1, 0.95, Side.OVER),
    ],
)
def test_a_side_is_taken_only_where_the_counts_show_it(requests: int, over: int, confidence: float, side: Side) -> None:
    assert side_of(requests, over, confidence) is side
