"""The traffic of a run: who sends which request when, over a client of its own.

Nothing here imports Locust, which patches the whole interpreter; ``locust_user`` runs this under its runner.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

import gevent
from gevent.event import Event

from loadtest.clock import Alarm, RunClock
from loadtest.failures import ExchangeFailed, Failure
from loadtest.http.address import address_of, request_head
from loadtest.http.client import Client
from loadtest.payloads import Payload
from loadtest.plan import Plan
from loadtest.recorder import Recorder
from loadtest.schedule import Schedule, checked_order, payload_order
from loadtest.targets.choice import target_of
from loadtest.targets.target import Response

HTTP_OK = 200
STOP_S = 2.0
REDIRECTS = range(300, 400)

OnDone = Callable[[int], None]


class Traffic:
    """Sends requests and records what becomes of them. ``on_done`` hears the row of each that is over."""

    def __init__(self, plan: Plan, payloads: list[Payload], recorder: Recorder, on_done: OnDone | None = None) -> None:
        self._plan = plan
        self._payloads = payloads
        self._recorder = recorder
        self._on_done = on_done
        self._target = target_of(plan.target)
        self._head = request_head(plan.url, self._target, plan.target)
        self._client = Client(address_of(plan.url, plan.target.ca_file), plan.timeout_s)
        self._start = 0.0
        self._in_flight = 0
        self._landed = Event()
        self._next_row = 0
        self._order = payload_order(plan.seed, len(payloads))
        self._checked = checked_order(plan.seed, plan.check_share)
        self.stopped = False

    def open_loop(self, schedule: Schedule, clock: RunClock) -> None:
        """One greenlet a request, spawned when it is due: no answer can delay the next send."""
        self._start = clock.start
        alarm = Alarm(clock)
        times, payloads, checked = schedule.views()
        for row in range(len(schedule)):
            alarm.wait_until(times[row])
            if self.stopped:
                break
            self._in_flight += 1
            gevent.spawn(self._send, row, payloads[row], checked[row])
        while self._in_flight:
            self._landed.clear()
            self._landed.wait()
        alarm.close()

    def closed_loop(self, clock: RunClock) -> None:
        """One client that sends its next request when its last one is answered, until the run is over."""
        self._start = clock.start
        end_s = self._plan.warmup_s + self._plan.duration_s
        gevent.sleep(max(0.0, -clock.now()))
        while (now_s := clock.now()) < end_s and not self.stopped and self._next_row < self._recorder.capacity:
            row = self._next_row
            self._next_row += 1
            payload = next(self._order)
            self._recorder.number[row] = row
            self._recorder.intended_s[row] = now_s
            self._recorder.payload[row] = payload
            self._in_flight += 1
            self._send(row, payload, next(self._checked))

    def stop(self) -> None:
        """Send nothing more and give up what is in flight; each cut request leaves a failed sample."""
        self.stopped = True
        self._client.stop()
        deadline = monotonic() + STOP_S
        while self._in_flight and monotonic() < deadline:
            gevent.sleep(0.01)

    def _send(self, row: int, payload: int, checked: bool) -> None:
        recorder, start, body = self._recorder, self._start, self._payloads[payload].body
        sent_at = monotonic()
        recorder.sent_s[row] = sent_at - start
        try:
            response, read_at, retried = self._client.exchange(
                row, b"%b%d\r\n\r\n%b" % (self._head, len(body), body), sent_at
            )
        except ExchangeFailed as failed:
            recorder.done_s[row] = monotonic() - start
            recorder.failure[row] = failed.failure
        else:
            recorder.done_s[row] = read_at - start
            recorder.retried[row] = retried
            recorder.status[row] = response.status
            recorder.failure[row] = self._judge(row, payload, response, checked)
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._landed.set()
            if self._on_done is not None:
                self._on_done(row)

    def _judge(self, row: int, payload: int, response: Response, checked: bool) -> Failure:
        """What the answer is, after its time has been taken."""
        if response.status != HTTP_OK:
            return Failure.REDIRECT if response.status in REDIRECTS else Failure.STATUS
        self._recorder.answer_bytes[row] = sum(map(len, response.pieces))
        if not (checked or self._target.always_read):
            return Failure.NONE
        answer = self._target.read(response)
        if not answer.ok:
            return Failure.NO_ANSWER
        expected = self._payloads[payload].expected_label
        if checked and expected is not None and answer.label is not None:
            self._recorder.label_matches[row] = answer.label == expected
        if answer.first_token_s is not None:
            self._recorder.first_token_s[row] = answer.first_token_s - self._start
        if answer.tokens is not None:
            self._recorder.tokens[row] = answer.tokens
        return Failure.NONE
