"""Numbers as a reader meets them: true minus sign, fixed digits, thousands separated, units beside."""

from __future__ import annotations

import datetime
import math
from decimal import Decimal

MINUS = "−"
DIGITS = 3


def points(share: float) -> str:
    """A difference of shares in percentage points, signed.

    >>> points(-0.0312), points(0.004), points(-0.0001)
    ('−3.1', '+0.4', '0.0')
    """
    return _signed(100 * share, 1)


def stated_points(share: float) -> str:
    """A margin in percentage points, with the digits that were stated.

    >>> stated_points(-0.08), stated_points(-0.0075)
    ('−8', '−0.75')
    """
    return _true_minus(f"{100 * share:.6g}")


def percent(share: float, decimals: int = 1) -> str:
    """A share in per cent.

    >>> percent(0.9234), percent(0.0004, 2)
    ('92.3 %', '0.04 %')
    """
    return _true_minus(f"{100 * share:.{decimals}f} %")


def significant(value: float, digits: int = DIGITS) -> str:
    """A number with so many significant digits, never in exponents.

    >>> [significant(value) for value in (0.041239, 4.1, 9.996, 412.4, 12345.6, 0.0)]
    ['0.0412', '4.10', '10.0', '412', '12,300', '0']
    """
    if value == 0:
        return "0"
    rounded = round(value, _decimals(value, digits))
    return _true_minus(f"{rounded:,.{max(0, _decimals(rounded, digits))}f}")


def decimals_for(width: float) -> int:
    """The decimals with which two digits of an interval's width are seen; three more digits where it has none.

    >>> decimals_for(0.0213), decimals_for(4.2), decimals_for(180.0), decimals_for(0.0)
    (3, 1, 0, 3)
    """
    return min(9, max(0, 1 - math.floor(math.log10(width)))) if width > 0 else DIGITS


def fixed(value: float, decimals: int) -> str:
    """A number with so many decimals.

    >>> fixed(0.91243, 3), fixed(-0.0001, 3), fixed(61250.0, 0)
    ('0.912', '0.000', '61,250')
    """
    text = f"{value:,.{decimals}f}"
    return _true_minus(text) if float(text.replace(",", "")) else text.removeprefix("-")


def fixed_signed(value: float, decimals: int) -> str:
    """A difference with so many decimals and its sign.

    >>> fixed_signed(0.0331, 3), fixed_signed(-0.041, 3), fixed_signed(1e-9, 3)
    ('+0.033', '−0.041', '0.000')
    """
    text = fixed(value, decimals)
    return f"+{text}" if value > 0 and text.strip("0.,") else text


def stated(value: float) -> str:
    """A number that a person wrote down, as it was written.

    >>> stated(20.0), stated(1.5), stated(12500.0), stated(100 * 0.07), stated(1e-7)
    ('20', '1.5', '12,500', '7', '0.0000001')
    """
    text = f"{Decimal(f'{value:.12g}'):,f}"
    return _true_minus(text.rstrip("0").rstrip(".") if "." in text else text)


def stated_signed(value: float) -> str:
    """A bound that a person wrote down, with its sign.

    >>> stated_signed(-0.03), stated_signed(0.05)
    ('−0.03', '+0.05')
    """
    return f"+{stated(value)}" if value > 0 else stated(value)


def confidence(share: float) -> str:
    """A confidence in per cent, never quite 100.

    >>> confidence(0.95), confidence(0.98448123), confidence(1 - 1e-12)
    ('95 %', '98.4481 %', 'more than 99.9999 %')
    """
    text = f"{100 * share:.4f}".rstrip("0").rstrip(".")
    return "more than 99.9999 %" if text == "100" else f"{text} %"


def milliseconds(value: float) -> str:
    """A latency.

    >>> milliseconds(4.1234), milliseconds(0.41), milliseconds(1532)
    ('4.12 ms', '0.410 ms', '1,530 ms')
    """
    return f"{significant(value)} ms"


def times(ratio: float) -> str:
    """How many times as much.

    >>> times(6.2081)
    '6.21 ×'
    """
    return f"{significant(ratio)} ×"


def ratio(value: float) -> str:
    """A ratio with two decimals.

    >>> ratio(0.613), ratio(-0.2), ratio(-0.001)
    ('0.61', '−0.20', '0.00')
    """
    text = f"{value:,.2f}"
    return "0.00" if text == "-0.00" else _true_minus(text)


def usd(amount: float) -> str:
    """Money: cents from one dollar on, three significant digits below, whole dollars from ten thousand on.

    >>> usd(0.04213), usd(1234.5), usd(98765.4), usd(-12.5)
    ('USD 0.0421', 'USD 1,234.50', 'USD 98,765', 'USD −12.50')
    """
    if 0 < abs(amount) < 1:
        return f"USD {significant(amount)}"
    return "USD " + _true_minus(f"{amount:,.{0 if abs(amount) >= 10_000 else 2}f}")


def stated_usd(amount: float) -> str:
    """A price that a person wrote down, never rounded below cents.

    >>> stated_usd(0.526), stated_usd(3.0)
    ('USD 0.526', 'USD 3.00')
    """
    exact = stated(amount)
    return f"USD {exact}" if len(exact.partition(".")[2]) > 2 else f"USD {_true_minus(f'{amount:,.2f}')}"


def count(number: float) -> str:
    """A whole number.

    >>> count(12345)
    '12,345'
    """
    return _true_minus(f"{number:,.0f}")


def counted(number: int, what: str) -> str:
    """A number of things.

    >>> counted(1, "row"), counted(1200, "row")
    ('1 row', '1,200 rows')
    """
    return f"{count(number)} {what}{'' if number == 1 else 's'}"


def probability(p: float) -> str:
    """A p-value: two significant digits, and never quite 0.

    >>> probability(0.0412), probability(0.00001), probability(1.0)
    ('0.041', '< 0.001', '1.0')
    """
    if p < 0.001:
        return "< 0.001"
    return significant(p, 2)


def duration(seconds: float) -> str:
    """How long something took.

    >>> duration(0.42), duration(74), duration(3725)
    ('0.4 s', '1 min 14 s', '1 h 2 min')
    """
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def moment(text: str) -> str:
    """An ISO 8601 time to the minute; anything else as it stands.

    >>> moment("2025-03-01T09:15:42Z"), moment("yesterday")
    ('2025-03-01 09:15 UTC', 'yesterday')
    """
    try:
        parsed = datetime.datetime.fromisoformat(text)
    except ValueError:
        return text
    in_utc = parsed.astimezone(datetime.UTC) if parsed.tzinfo else parsed.replace(tzinfo=datetime.UTC)
    return in_utc.strftime("%Y-%m-%d %H:%M UTC")


def digest(text: str) -> str:
    """The first twelve characters, enough to compare by eye.

    >>> digest("0123456789abcdef")
    '0123456789ab'
    """
    return text[:12]


def _decimals(value: float, digits: int) -> int:
    return digits - 1 - math.floor(math.log10(abs(value)))


def _signed(value: float, decimals: int) -> str:
    text = f"{value:+.{decimals}f}"
    return text[1:] if float(text) == 0 else _true_minus(text)


def _true_minus(text: str) -> str:
    return text.replace("-", MINUS)
