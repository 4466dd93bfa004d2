"""The page as a value: every section prepared, so that templates only place it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.record.override import Override
from evalkit.record.run_record import RunRecord
from reports.cascades import CascadeView, cascade_view
from reports.claims import ClaimView, other_claims
from reports.controls import ControlsView, controls_view
from reports.costs import InstanceView, instance_views
from reports.diagnosis import ExampleView, FidelityLine, FindingView, examples, fidelity, findings
from reports.discovered import DiscoveryView, discovery_view
from reports.headline import Binding, Headline, binding, confidence_of, headline, open_claims
from reports.load_lines import LoadView, load_views
from reports.metrics import MetricView, metric_views
from reports.naming import units_of
from reports.not_looked_for import NotLookedFor, not_looked_for
from reports.overrides import OverrideView, override_views
from reports.plot_rows import PlotRows, plot_rows
from reports.reproduction import Reproduction, reproduction
from reports.side_by_side import SideBySide, side_by_side
from reports.subpopulations import GroupView, group_tally, group_views
from reports.validity import Condition, validity


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One verdict page, top to bottom."""

    headline: Headline
    binding: Binding
    open_claims: tuple[tuple[str, str], ...]
    validity: tuple[Condition, ...]
    plot: PlotRows
    claims: tuple[ClaimView, ...]
    group_tally: str
    groups: tuple[GroupView, ...]
    discovery: DiscoveryView
    metrics: tuple[MetricView, ...]
    overrides: tuple[OverrideView, ...]
    side_by_side: SideBySide
    loads: tuple[LoadView, ...]
    instances: tuple[InstanceView, ...]
    cascade: CascadeView | None
    controls: ControlsView | None
    fidelity: tuple[FidelityLine, ...]
    findings: tuple[FindingView, ...]
    not_looked_for: tuple[NotLookedFor, ...]
    examples: tuple[ExampleView, ...]
    reproduction: Reproduction
    confidence: str
    units: str


def page_of(record: RunRecord, overrides: Sequence[Override] = ()) -> Page:
    """Everything that the reports say about a run, and about who decided otherwise."""
    verdict = record.verdict
    return Page(
        headline=headline(record),
        binding=binding(verdict),
        open_claims=open_claims(verdict),
        validity=validity(record),
        plot=plot_rows(verdict.checks),
        claims=other_claims(record),
        group_tally=group_tally(record),
        groups=group_views(record),
        discovery=discovery_view(record),
        metrics=metric_views(record),
        overrides=override_views(overrides),
        side_by_side=side_by_side(record),
        loads=load_views(record),
        instances=instance_views(record),
        cascade=cascade_view(record),
        controls=controls_view(record),
        fidelity=fidelity(record),
        findings=findings(record),
        not_looked_for=not_looked_for(record),
        examples=examples(record),
        reproduction=reproduction(record),
        confidence=confidence_of(record),
        units=units_of(record),
    )
