"""What the spec says of single values of a grouping: another margin, watched or required, a weight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.errors import DataError
from evalkit.spec.subpopulations import GroupPolicy, Subpopulation

NO_POLICY = GroupPolicy()
MOST_NAMED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What holds for one group."""

    margin: float | None
    required: bool
    weight: float | None


def stated_for(
    grouping: Subpopulation, values: Sequence[tuple[str, ...]], default_margin: float | None
) -> list[Stated]:
    """What holds for each group, given by its values (one a column): its own policy, then its grouping's, then the
    default.

    Raises DataError for a policy whose value does not occur or means two groups, and for a group without a weight
    where others have one: an average that leaves a part of the traffic out says nothing about the whole.
    """
    names = [", ".join(each) for each in values]
    _refuse_unknown(grouping, names)
    policies = [grouping.groups.get(name, NO_POLICY) for name in names]
    _refuse_unweighted(grouping, names, policies)
    general = default_margin if grouping.margin is None else grouping.margin
    return [
        Stated(
            margin=general if policy.margin is None else policy.margin,
            required=grouping.required if policy.required is None else policy.required,
            weight=policy.weight,
        )
        for policy in policies
    ]


def _refuse_unknown(grouping: Subpopulation, names: Sequence[str]) -> None:
    known = set(names)
    for value in grouping.groups:
        if value not in known:
            raise DataError(
                f"subpopulations: {_title(grouping)} has a policy for '{value}', which no held-out row has; "
                f"its values are {_listed(names)}"
            )
        if names.count(value) > 1:
            raise DataError(
                f"subpopulations: the policy of {_title(grouping)} for '{value}' means two groups; rename a value that "
                "holds a comma"
            )


def _refuse_unweighted(grouping: Subpopulation, names: Sequence[str], policies: Sequence[GroupPolicy]) -> None:
    bare = [name for name, policy in zip(names, policies, strict=True) if policy.weight is None]
    if bare and len(bare) < len(names):
        raise DataError(
            f"subpopulations: {_title(grouping)} has weights, but none for {_listed(bare)}; give each value that "
            "occurs one (0 for what production never sees)"
        )


def _title(grouping: Subpopulation) -> str:
    return " × ".join(grouping.columns)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{more}"
