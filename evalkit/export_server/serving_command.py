"""The command that starts this project's server in a container."""

from __future__ import annotations

from evalkit.export_server.placement import Placement

PORT, DRAIN_S = 8080, 30


def serving_command(model: str, placement: Placement) -> list[str]:
    """`python -m serving` for a model folder at ``model``, on every address of the container.

    >>> serving_command("/model", Placement())[:6]
    ['python', '-m', 'serving', '/model', '--host', '0.0.0.0']
    """
    return [
        *("python", "-m", "serving", model),
        *("--host", "0.0.0.0"),
        *("--port", str(PORT)),
        *("--provider", placement.provider.value),
        *("--threads", str(placement.threads)),
        *("--max-batch-rows", str(placement.max_batch_rows)),
        *("--drain-s", str(DRAIN_S)),
    ]
