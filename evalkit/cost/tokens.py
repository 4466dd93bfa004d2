"""What a request costs at an API that charges by the token."""

from __future__ import annotations

import numpy as np

from evalkit.cost.usage import Usage
from evalkit.spec.cost import TokenPrices
from evalkit.stats.bootstrap import bootstrap_sums
from evalkit.stats.interval import Estimate


def token_usd_per_million(prices: TokenPrices, usage: Usage, level: float, rng: np.random.Generator) -> Estimate:
    """Cost of a million successful answers: what all recorded calls cost ÷ how many of them were answered.

    Per call: (input − cached) × input price + cached × cached price + output × output price, less the batch discount.
    The interval is a BCa bootstrap at two-sided ``level`` over calls, over whole clusters where calls belong together;
    it holds for traffic like the recorded one.

    >>> per_token = TokenPrices(usd_per_million_input=3, usd_per_million_output=15)
    >>> calls = np.array([100.0, 300.0] * 50)  # 200 input tokens on average, and 10 output tokens
    >>> usage = Usage(input_tokens=calls, output_tokens=calls * 0 + 10, cached_tokens=calls * 0, answered=calls * 0 + 1)
    >>> token_usd_per_million(per_token, usage, 0.9, np.random.default_rng(1)).point  # 200 × 3 + 10 × 15
    750.0
    """
    fresh = usage.input_tokens - usage.cached_tokens
    # dollars a million calls: tokens × (dollars a million tokens)
    usd = (
        fresh * prices.usd_per_million_input
        + usage.cached_tokens * (prices.usd_per_million_cached or 0.0)
        + usage.output_tokens * prices.usd_per_million_output
    ) * (1.0 - prices.batch_discount)
    terms = np.column_stack([usd, usage.answered])
    with np.errstate(divide="ignore", invalid="ignore"):
        return bootstrap_sums(terms, lambda sums: sums[..., 0] / sums[..., 1], level, rng, clusters=usage.clusters)
