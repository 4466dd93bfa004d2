"""The traffic of a run: who sends which request when, over a Locust user's own HTTP session.

Locust patches the whole interpreter when imported, so nothing here imports it; ``generator`` passes
the session in.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import islice
from typing import Any

import gevent
from gevent.pool import Group

from loadtest.clock import RunClock
from loadtest.payloads import ENDPOINT, Payload, answered_label
from loadtest.plan import OpenLoopPlan, Plan, SaturationPlan
from loadtest.samples import Sample
from loadtest.schedule import intended_times, payload_order

HEADERS = {"Content-Type": "application/json", "Accept": "application/json", "Accept-Encoding": "identity"}
HTTP_OK = 200

Drive = Callable[[Any], None]  # what one Locust user does with its FastHttpSession


class Traffic:
    """The samples of one run, and the greenlets that make them."""

    def __init__(self, plan: Plan, payloads: list[Payload], clock: RunClock) -> None:
        self.samples: list[Sample] = []
        self._plan = plan
        self._payloads = payloads
        self._clock = clock
        self._order = payload_order(plan.seed, len(payloads))
        self._in_flight = Group()

    @property
    def users(self) -> int:
        return self._plan.clients if isinstance(self._plan, SaturationPlan) else 1

    def drive(self, session: Any) -> None:
        """What each user does from its start to its end."""
        match self._plan:
            case OpenLoopPlan():
                self._open_loop(session, self._plan)
            case SaturationPlan():
                self._closed_loop(session, self._plan)

    def stop(self) -> None:
        """Cut short whatever is in flight; each cut request leaves a failed sample."""
        self._in_flight.kill()

    def on_request(self, *, context: dict[str, Any], response: Any, exception: BaseException | None, **_: Any) -> None:
        """Locust's request event: the moment the whole answer is here, and what it says."""
        sample: Sample = context["sample"]
        sample.done_s = self._clock.now()
        sample.status = response.status_code or 0
        if exception is None and sample.status == HTTP_OK:
            label = answered_label(response.content)
            sample.ok = label is not None
            expected = self._payloads[sample.payload].expected_label
            if sample.ok and expected is not None:
                sample.label_matches = label == expected

    def _open_loop(self, session: Any, plan: OpenLoopPlan) -> None:
        """One greenlet a request, spawned when it is due: no answer can delay the next send."""
        times = intended_times(plan).tolist()
        for intended_s, payload in zip(times, islice(self._order, len(times)), strict=True):
            self._clock.wait_until(intended_s)
            self._in_flight.spawn(self._send, session, intended_s, payload)
        self._in_flight.join()

    def _closed_loop(self, session: Any, plan: SaturationPlan) -> None:
        end_s = plan.warmup_s + plan.duration_s
        self._clock.wait_until(0.0)
        while (now_s := self._clock.now()) < end_s:
            self._send(session, now_s, next(self._order))

    def _send(self, session: Any, intended_s: float, payload: int) -> None:
        sample = Sample(intended_s=intended_s, payload=payload, sent_s=self._clock.now())
        try:
            with gevent.Timeout(self._plan.timeout_s):
                self._post(session, sample)
        except (gevent.Timeout, UnicodeDecodeError):
            # Locust decodes an error page as UTF-8, and raises where it is none
            sample.ok = False
        finally:
            if math.isnan(sample.done_s):  # cut short before Locust could fire its event
                sample.done_s = self._clock.now()
            self.samples.append(sample)

    def _post(self, session: Any, sample: Sample) -> None:
        body = self._payloads[sample.payload].body
        session.post(ENDPOINT, data=body, headers=HEADERS, context={"sample": sample})
