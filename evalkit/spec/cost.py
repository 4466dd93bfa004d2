"""What each model costs to run, what the project costs, and the traffic that both are paid for."""

from __future__ import annotations

import datetime
from typing import Annotated, Self

from pydantic import Field, model_validator

from evalkit.spec.section import Section, Stated

USD = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
HOURS_PER_MONTH = 730.0
"""8,760 hours a year ÷ 12."""
ASSUMED_UTILISATION = 0.5


class TokenColumns(Section):
    """Which column of the recorded usage holds what, one row a call."""

    input_tokens: Stated = "input_tokens"
    """All input tokens, cached ones among them (as OpenAI-compatible APIs count; add those that yours counts apart)."""
    output_tokens: Stated = "output_tokens"
    cached_tokens: Stated | None = None
    """Input tokens that were read from the API's cache. Needs usd_per_million_cached."""
    answered: Stated | None = None
    """Whether the call was answered (true or false). Calls that were not are paid for by those that were."""


class TokenPrices(Section):
    """An API's price list, and the calls whose usage it is applied to."""

    usd_per_million_input: USD
    usd_per_million_output: USD
    usd_per_million_cached: USD | None = None
    """Input tokens read from the API's cache. Needs columns.cached_tokens."""
    batch_discount: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the whole price that the API takes off for batches, e.g. 0.5."""
    usage: Stated | None = None
    """A table with one row a call. Without it the side's recorded predictions hold the columns, and of a teacher.api
    its own answers to the held-out rows count."""
    columns: TokenColumns = TokenColumns()

    @model_validator(mode="after")
    def _cached_tokens_have_a_price(self) -> Self:
        if (self.usd_per_million_cached is None) != (self.columns.cached_tokens is None):
            raise ValueError(
                "usd_per_million_cached and columns.cached_tokens belong together; give both or leave both out"
            )
        if not self.usd_per_million_input and not self.usd_per_million_output:
            raise ValueError("both token prices are 0; give what the API charges")
        return self


class Fleet(Section):
    """Machines that stand ready all month, busy or not: the bill is theirs, and so is the cost of a request."""

    minimum_replicas: Annotated[int, Field(ge=1, le=100_000)] = 1
    headroom: Annotated[float, Field(ge=1, le=100)] = 1.0
    """Capacity that stands ready ÷ peak rate, so that scaling up comes in time: 1.3 keeps 30 % spare."""


class Instance(Section):
    """Another machine that could serve the model. Nothing was measured on it, so what it costs decides nothing."""

    name: Stated
    usd_per_hour: Positive
    rps: Positive | None = None
    """Successful requests a second that it is said to carry."""
    relative_speed: Positive | None = None
    """Its rate ÷ that of the machine that was measured, as it is said to be."""
    speed_source: Stated
    """Who says so."""
    source: Stated
    date: datetime.date

    @model_validator(mode="after")
    def _one_speed(self) -> Self:
        return self._exactly_one("rps", "relative_speed")


class Price(Section):
    """What a model costs to run, with where the figure is from and when it was read."""

    usd_per_hour: Positive | None = None
    """Price of the machine that serves it; the cost per request follows from the measured throughput."""
    usd_per_million_requests: Positive | None = None
    """A price per request that is already known (an API, a bill)."""
    tokens: TokenPrices | None = None
    """An API that charges by the token; the cost per request follows from recorded usage."""
    utilisation: Annotated[float, Field(gt=0, le=1)] | None = None
    """With usd_per_hour: share of the measured throughput that is really used over the day; 0.5 where neither it nor a
    fleet is given."""
    fleet: Fleet | None = None
    """With usd_per_hour, in the place of utilisation: how many machines stand ready for cost.peak_rps."""
    instances: tuple[Instance, ...] = ()
    """With usd_per_hour: other machines, to compare in one table."""
    source: Stated
    date: datetime.date

    @property
    def used_share(self) -> float:
        """The utilisation, as given or assumed."""
        return ASSUMED_UTILISATION if self.utilisation is None else self.utilisation

    @model_validator(mode="after")
    def _one_price(self) -> Self:
        return self._exactly_one("usd_per_hour", "usd_per_million_requests", "tokens")

    @model_validator(mode="after")
    def _machines_are_paid_by_the_hour(self) -> Self:
        for name in ("fleet", "instances"):
            if getattr(self, name) and self.usd_per_hour is None:
                raise ValueError(f"{name} is about machines that are paid by the hour; give usd_per_hour, or remove it")
        if self.fleet is not None and self.utilisation is not None:
            raise ValueError("a fleet's utilisation follows from cost.monthly_requests; remove utilisation or fleet")
        names = [each.name for each in self.instances]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"instances: {twice[0]} stands there twice; name each machine once")
        return self


class Project(Section):
    """What the distillation itself costs, part by part."""

    labelling_usd: USD = 0.0
    training_hours: USD = 0.0
    usd_per_training_hour: USD | None = None
    engineering_hours: USD = 0.0
    usd_per_engineering_hour: USD | None = None

    @model_validator(mode="after")
    def _hours_have_a_price(self) -> Self:
        for work in ("training", "engineering"):
            hours, usd = getattr(self, f"{work}_hours"), getattr(self, f"usd_per_{work}_hour")
            if hours and usd is None:
                raise ValueError(f"{work}_hours is {hours:g} and has no price; give usd_per_{work}_hour")
            if usd is not None and not hours:
                raise ValueError(f"usd_per_{work}_hour is {usd:g} and there are no hours; give {work}_hours")
        return self


class Cost(Section):
    """Prices, and the volume that they are paid for."""

    teacher: Price
    student: Price
    monthly_requests: Annotated[int, Field(gt=0)] | None = None
    peak_rps: Annotated[float, Field(gt=0, le=1e9)] | None = None
    """The busiest requests a second that a fleet is built for."""
    project_usd: USD | None = None
    """What the distillation itself costs (labelling, training, engineering), as one sum."""
    project: Project | None = None
    """The same part by part."""
    max_age_days: Annotated[int, Field(ge=1)] | None = 180
    """A price that was read longer ago is flagged in record and report; null flags none."""
    cascade: bool = True
    """Whether to work out what it would take to send the requests that the student is unsure of on to the teacher."""

    @model_validator(mode="after")
    def _one_project_cost(self) -> Self:
        if self.project is not None and self.project_usd is not None:
            raise ValueError("project_usd and project both say what the project costs; give one of them")
        return self

    @model_validator(mode="after")
    def _fleets_know_their_traffic(self) -> Self:
        fleets = [role for role in ("teacher", "student") if getattr(self, role).fleet is not None]
        for name in ("monthly_requests", "peak_rps"):
            if fleets and getattr(self, name) is None:
                raise ValueError(f"{fleets[0]}.fleet needs {name}, by which its machines are counted and paid; give it")
        if self.peak_rps is None:
            return self
        if not fleets:
            raise ValueError("peak_rps is what a fleet is built for, and no side has one; give fleet or remove it")
        assert self.monthly_requests is not None
        mean = self.monthly_requests / (HOURS_PER_MONTH * 3600)
        if self.peak_rps < mean:
            raise ValueError(
                f"peak_rps is {self.peak_rps:g}, and {self.monthly_requests:,} requests a month are {mean:.3g} a "
                "second on average; give a peak above the average"
            )
        return self
