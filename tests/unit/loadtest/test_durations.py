import pytest

from loadtest.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"), [("60s", 60), ("1h", 3600), ("1m30s", 90), ("2min", 120), ("250ms", 0.25), (".5s", 0.5)]
)
def test_units(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "-5s", "5 parsecs", "1m30", "5s later", "1e3"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="60s"):
        parse_duration(text)
