"""A bare ASGI server with known behaviour, run as its own process: ``python stub_server.py [options]``.

It prints its port. It serves one request after the other (a blocking sleep in the event loop), so that
its queue can be simulated exactly.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import socket
import time
from typing import Any

import uvicorn


def make_app(options: argparse.Namespace) -> Any:
    counter = itertools.count(1)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        number = next(counter)
        if number == options.die_at:
            os._exit(1)
        time.sleep(options.service_ms / 1000 + (options.freeze_s if number == options.freeze_at else 0.0))
        failed = options.fail_every and number % options.fail_every == 0
        wrong = options.wrong_every and number % options.wrong_every == 0
        # the right answer is a function of the text, so that a mixed-up body would be noticed
        labels = ["wrong" if wrong else text.upper() for text in json.loads(body)["texts"]]
        answer = json.dumps({"predictions": [{"label": label} for label in labels]}).encode()
        if failed and options.binary_errors:
            answer = b"\xff\xfe"
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        if options.redirect_to:
            headers.append((b"location", options.redirect_to.encode()))
        status = 307 if options.redirect_to else 500 if failed else 200
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if options.trickle:
            for byte in answer:
                await send({"type": "http.response.body", "body": bytes([byte]), "more_body": True})
                await asyncio.sleep(0.1)
            answer = b""
        await send({"type": "http.response.body", "body": answer})

    return app


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--service-ms", type=float, default=0.0)
    parser.add_argument("--freeze-at", type=int, default=0, help="the number of the request that freezes it")
    parser.add_argument("--freeze-s", type=float, default=0.0)
    parser.add_argument("--fail-every", type=int, default=0)
    parser.add_argument("--binary-errors", action="store_true")
    parser.add_argument("--trickle", action="store_true", help="send one byte each 0.1 s")
    parser.add_argument("--wrong-every", type=int, default=0)
    parser.add_argument("--die-at", type=int, default=0)
    parser.add_argument("--redirect-to", default="")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--core", type=int, default=None)
    options = parser.parse_args()
    if options.core is not None:
        os.sched_setaffinity(0, {options.core})
    listener = socket.socket()
    listener.bind((options.host, 0))
    os.write(1, f"{listener.getsockname()[1]}\n".encode())
    config = uvicorn.Config(make_app(options), log_level="critical", lifespan="off", access_log=False, backlog=4096)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
