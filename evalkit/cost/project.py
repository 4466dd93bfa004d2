"""What the distillation itself costs."""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.spec.cost import Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectPart:
    """One part of the project's cost, in words, and its dollars."""

    what: str
    usd: float


def project_parts(cost: Cost) -> tuple[ProjectPart, ...]:
    """The parts that the spec states; one where it states their sum, none where it states nothing."""
    if cost.project_usd is not None:
        return (ProjectPart(what="as one sum", usd=cost.project_usd),)
    project = cost.project
    if project is None:
        return ()
    parts = [ProjectPart(what="labelling", usd=project.labelling_usd)]
    for work, hours, usd in (
        ("training", project.training_hours, project.usd_per_training_hour),
        ("engineering", project.engineering_hours, project.usd_per_engineering_hour),
    ):
        if usd is not None:
            parts.append(ProjectPart(what=f"{work}, {hours:g} h at {usd:g} USD", usd=hours * usd))
    return tuple(parts)


def project_usd(cost: Cost) -> float | None:
    """The sum of the parts; None where none is stated."""
    parts = project_parts(cost)
    return sum(part.usd for part in parts) if parts else None
