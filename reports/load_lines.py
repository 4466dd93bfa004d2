"""What one model's load showed beside its latency: the certificate, refusals, drift, and who had which core."""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.record.run_record import LoadReport, RunRecord
from evalkit.stats.interval import Estimate, Interval
from reports import numbers
from reports.line import NOT_MEASURED
from reports.words import listed, one_line

MOST_TAG_LINES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class TagLine:
    """The latency of the requests that carried one value of a tag."""

    name: str
    requests: str
    failed: str
    p50: str
    p95: str
    p99: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadView:
    """One model under load. ``load`` is what its chart is drawn from."""

    role: str
    load: LoadReport
    facts: tuple[tuple[str, str], ...]
    tags: tuple[TagLine, ...]
    tags_left_out: str


def load_views(record: RunRecord) -> tuple[LoadView, ...]:
    """The models whose latency measurement stands and whose record keeps an analysis of it."""
    return tuple(_view(load) for load in record.loads if load.analysis is not None and not load.latency_void)


def _view(load: LoadReport) -> LoadView:
    assert load.analysis is not None
    tags = load.analysis.tags
    lines = tuple(
        TagLine(
            name=one_line(f"{each.tag.replace('_', ' ')} {each.value}"),
            requests=numbers.count(each.requests),
            failed=numbers.count(each.failed),
            p50=_latency(each.p50_ms),
            p95=_latency(each.p95_ms),
            p99=_latency(each.p99_ms),
        )
        for each in tags[:MOST_TAG_LINES]
    )
    more = len(tags) - len(lines)
    return LoadView(
        role=load.role,
        load=load,
        facts=tuple(fact for fact in _facts(load) if fact[1]),
        tags=lines,
        tags_left_out=f"{numbers.count(more)} more stand in the record." if more else "",
    )


def _facts(load: LoadReport) -> list[tuple[str, str]]:
    analysis = load.analysis
    assert analysis is not None
    summary = analysis.summary
    return [
        ("p99 within the limit", certificate_text(load)),
        ("p99 observed", "" if summary.observed_p99_ms is None else numbers.milliseconds(summary.observed_p99_ms)),
        ("p99.9", _latency(summary.p999_ms)),
        ("Refused (429, 503)", _share(summary.refusal_rate)),
        ("Failed otherwise", _share(summary.error_rate)),
        ("Answered rightly and in time", _share(summary.goodput_share)),
        ("Answers a second", _rate(summary.throughput_rps)),
        ("Warm-up", warm_up_text(load)),
        ("Drift", drift_text(load)),
        ("Cores", cores_text(load)),
        ("Void beyond", limits_text(load)),
    ]


def certificate_text(load: LoadReport) -> str:
    """Whether p99 keeps the limit, after LoadGen's rule for the effective number of requests."""
    certificate = None if load.analysis is None else load.analysis.certificate
    if certificate is None:
        return ""
    seen = (
        f"{numbers.count(certificate.over_limit)} of {numbers.count(certificate.requests)} requests took more than "
        f"{numbers.stated(certificate.limit_ms)} ms"
    )
    allowed, more = certificate.allowed_over_limit, certificate.more_requests
    parts = [
        f"{certificate.outcome.value} at {numbers.confidence(certificate.confidence)} confidence: {seen}",
        f"{numbers.count(allowed)} were allowed" if allowed is not None else "these are too few to allow for any",
    ]
    if more is not None:
        parts.append(f"about {numbers.count(more)} more requests would decide it at this share")
    if certificate.correlation_time > 1.05:
        run = numbers.significant(certificate.correlation_time, 2)
        parts.append(f"slow requests come in runs, so {run} of them count as one")
    return "; ".join(parts)


def warm_up_text(load: LoadReport) -> str:
    """What was cut, and whether it was enough."""
    if load.analysis is None:
        return ""
    check = load.analysis.warm_up
    cut = f"the first {numbers.stated(check.warmup_s)} s do not count"
    first = f"the {numbers.stated(check.first_s)} s after them"
    if not check.fired:
        compared = getattr(check.comparison, "reason", "")
        return f"{cut}; not checked: {compared}" if compared else f"{cut}; {first} are like the rest"
    more = "" if check.cut_more_s is None else f"; MSER-5 would cut {numbers.significant(check.cut_more_s, 2)} s more"
    return f"{cut}, but {first} are unlike the rest{more}"


def drift_text(load: LoadReport) -> str:
    """Whether the thirds of the run differ, and by how much."""
    if load.analysis is None:
        return ""
    found = load.analysis.drift
    reason = getattr(found, "reason", None)
    if reason is not None:
        return f"{NOT_MEASURED}: {one_line(reason)}"
    shifts = found.shifts  # type: ignore[union-attr]
    said = [
        f"p{100 * shift.q:g} {', '.join(numbers.significant(value) for value in shift.window_ms)} ms "
        f"(p {numbers.probability(shift.p_value)})"
        for shift in shifts
    ]
    verdict = "the thirds of the run differ" if found.fired else "none found"  # type: ignore[union-attr]
    return f"{verdict}: {'; '.join(said)}"


def cores_text(load: LoadReport) -> str:
    """On which cores server and generator ran, or that they were not separated."""
    separated = load.pinning.get("separated")
    if separated is None:
        return ""
    cores = ", ".join(str(core) for core in load.pinning.get("server_cores", ()))
    if separated:
        return f"server on {cores}, generator on {load.pinning.get('generator_core')}{_foreign(load)}"
    return f"not separated: the generator may have run on the server's ({cores}){_foreign(load)}"


def limits_text(load: LoadReport) -> str:
    """The rules beyond which the measurement would have been void."""
    named = [f"{name.replace('_', ' ')} {numbers.stated(value)}" for name, value in load.limits.items()]
    return listed(named, len(named))


def _foreign(load: LoadReport) -> str:
    share = load.figures.get("foreign_cpu_share")
    return "" if share is None else f"; others used {numbers.percent(share)} of the server's"


def _latency(estimate: Estimate) -> str:
    if isinstance(estimate, Interval):
        lower, upper = numbers.significant(estimate.lower), numbers.significant(estimate.upper)
        return f"{numbers.milliseconds(estimate.point)} ({lower} to {upper})"
    needed = "" if estimate.n_needed is None else f", {numbers.count(estimate.n_needed)} requests are needed"
    return f"{NOT_MEASURED}{needed}"


def _share(estimate: Estimate) -> str:
    if not isinstance(estimate, Interval):
        return f"{NOT_MEASURED}: {one_line(estimate.reason)}"
    lower, upper = numbers.percent(estimate.lower, 2), numbers.percent(estimate.upper, 2)
    return f"{numbers.percent(estimate.point, 2)} ({lower} to {upper})"


def _rate(estimate: Estimate) -> str:
    if not isinstance(estimate, Interval):
        return f"{NOT_MEASURED}: {one_line(estimate.reason)}"
    lower, upper = numbers.significant(estimate.lower), numbers.significant(estimate.upper)
    return f"{numbers.significant(estimate.point)} ({lower} to {upper})"
