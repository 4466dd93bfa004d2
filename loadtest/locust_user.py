"""Locust's part: a user that drives a run, under Locust's own runner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def driving_user(drive: Callable[[], None]) -> Any:
    """A Locust user class whose only task is ``drive``. Importing Locust patches the whole interpreter."""
    from locust import User, task
    from locust.exception import StopUser

    class OpenLoopUser(User):  # type: ignore[misc, unused-ignore]
        @task
        def run_the_plan(self) -> None:
            drive()
            raise StopUser

    return OpenLoopUser
