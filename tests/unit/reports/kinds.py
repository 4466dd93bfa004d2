"""Every kind of record that a report must be able to tell of, by name."""

from __future__ import annotations

from collections.abc import Callable

from evalkit.record.run_record import RunRecord
from tests.unit.reports import extended_records, group_records, records

KINDS: dict[str, Callable[[], RunRecord]] = {
    "go": records.go,
    "no_go": records.no_go,
    "inconclusive": records.inconclusive,
    "void": records.void,
    "hostile": records.hostile,
    "nothing_required": records.nothing_required,
    "merged": group_records.merged,
    "merged_and_broken": group_records.merged_and_broken,
    "by_a_metric_only": group_records.by_a_metric_only,
    "partly_judged": group_records.partly_judged,
    "weighted": group_records.weighted,
    "metrics": group_records.metrics,
    "accuracy_twice": group_records.accuracy_twice,
    "bad_teacher": group_records.bad_teacher,
    "one_model": extended_records.one_model,
    "discovered": extended_records.discovered,
    "looked_too_often": extended_records.looked_too_often,
    "second_look": extended_records.second_look,
    "rich": extended_records.rich,
}
