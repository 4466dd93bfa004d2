"""An OpenAI-compatible server with planned faults, which counts how often each prompt was asked and answered.

    python benchmarks/labelling_bench/faulty_api.py --labels no,yes --fault-share 0.02 --latency-ms 5

Prints its port and serves until it is killed. A prompt's answer is the label number ``len(text) % labels``. Words in a
text ask for more: OUTSIDE is answered with no label, EMPTY with nothing, OVERFLOW is longer than the context. Keys:
``wrong`` (401), ``forbidden`` (403), ``broke`` (quota). The model ``unknown`` is not there. A share of the requests
fails, each kind as often as the others, by the hash of text and attempt: 429 with Retry-After, 500, no answer at all,
JSON that is cut short, a connection that is dropped. GET /counts gives {asked, answered, texts, asked_after_success,
faults}, and GET /prompts {text: [asked, answered]}.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import math
from collections import Counter
from typing import Any

import uvloop

FAULTS = ("busy", "broken", "silent", "cut", "dropped")
REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}
REFUSED_KEYS = {
    "wrong": (401, "invalid_api_key", "Incorrect API key provided: wrong"),
    "forbidden": (403, "forbidden", "no access"),
    "broke": (429, "insufficient_quota", "You exceeded your current quota"),
}


class FaultyApi:
    """The answers, the faults and the counts."""

    def __init__(
        self, labels: list[str], fault_share: float, latency_s: float, retry_after: str, silent_s: float
    ) -> None:
        self.labels, self.fault_share, self.latency_s = labels, fault_share, latency_s
        self.retry_after, self.silent_s = retry_after, silent_s
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.asked_after_success = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                named = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
                body = await reader.readexactly(int(named.get("content-length", 0)))
                if not await self._reply(head.split(" ", 2)[:2], named, body, writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _reply(self, line: list[str], named: dict[str, str], body: bytes, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on."""
        if line[0] == "GET":
            found = self._prompts() if line[1] == "/prompts" else self._counts()
            _write(writer, 200, found)
            return True
        request = json.loads(body)
        text = f"{request['messages'][-1]['content']}"
        refused = self._refusal(named.get("authorization", ""), request, text)
        if refused is not None:
            _write(writer, refused[0], {"error": {"code": refused[1], "type": refused[1], "message": refused[2]}})
            return True
        self.asked[text] += 1
        self.asked_after_success += self.answered[text] > 0
        if self.latency_s:
            await asyncio.sleep(self.latency_s)
        fault = self._fault(text)
        if fault is None:
            _write(writer, 200, self._completion(request, text))
            await writer.drain()
            self.answered[text] += 1
            return True
        self.faults[fault] += 1
        return await self._fail(fault, request, text, writer)

    def _refusal(self, authorization: str, request: dict[str, Any], text: str) -> tuple[int, str, str] | None:
        if request["model"] == "unknown":
            return 404, "model_not_found", "The model `unknown` does not exist"
        if "OVERFLOW" in text:
            return 400, "context_length_exceeded", "This model's maximum context length is 512 tokens"
        return REFUSED_KEYS.get(authorization.removeprefix("bearer "))

    def _fault(self, text: str) -> str | None:
        digest = hashlib.sha256(f"{text} {self.asked[text]}".encode()).digest()
        if int.from_bytes(digest[:4], "big") / 2**32 >= self.fault_share:
            return None
        return FAULTS[digest[4] % len(FAULTS)]

    async def _fail(self, fault: str, request: dict[str, Any], text: str, writer: asyncio.StreamWriter) -> bool:
        if fault == "busy":
            _write(writer, 429, {"error": {"message": "slow down"}}, f"Retry-After: {self.retry_after}\r\n")
        elif fault == "broken":
            _write(writer, 500, {"error": {"message": "out of order"}})
        elif fault == "cut":
            whole = json.dumps(self._completion(request, text)).encode()
            _write_bytes(writer, 200, whole[: len(whole) // 2])
        else:
            if fault == "silent":
                await asyncio.sleep(self.silent_s)
            return False
        return True

    def _completion(self, request: dict[str, Any], text: str) -> dict[str, Any]:
        answer = "" if "EMPTY" in text else "maybe" if "OUTSIDE" in text else self._label(text)
        choice: dict[str, Any] = {"index": 0, "message": {"role": "assistant", "content": answer}}
        choice["finish_reason"] = "stop"
        if request.get("logprobs"):
            others = [label for label in self.labels if label != answer]
            listed = [(answer, 0.7), *((label, 0.2 / len(others)) for label in others)]
            alternatives = [{"token": token, "logprob": math.log(share)} for token, share in listed]
            choice["logprobs"] = {"content": [{**alternatives[0], "top_logprobs": alternatives}]}
        usage = {"prompt_tokens": len(text) // 4 + 20, "completion_tokens": 1}
        return {"id": "c", "object": "chat.completion", "model": request["model"], "choices": [choice], "usage": usage}

    def _label(self, text: str) -> str:
        """The label that stands in the text as a word; without one, a label by the text's length."""
        words = text.split()
        return next((label for label in self.labels if label in words), self.labels[len(text) % len(self.labels)])

    def _counts(self) -> dict[str, Any]:
        return {
            "asked": self.asked.total(),
            "answered": self.answered.total(),
            "texts": len(+self.answered),
            "asked_after_success": self.asked_after_success,
            "faults": dict(self.faults),
        }

    def _prompts(self) -> dict[str, Any]:
        return {text: [self.asked[text], self.answered[text]] for text in self.asked}


def _write(writer: asyncio.StreamWriter, status: int, content: Any, headers: str = "") -> None:
    _write_bytes(writer, status, json.dumps(content).encode(), headers)


def _write_bytes(writer: asyncio.StreamWriter, status: int, body: bytes, headers: str = "") -> None:
    head = f"HTTP/1.1 {status} {REASONS.get(status, 'Failed')}\r\nContent-Type: application/json\r\n{headers}"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)


async def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--labels", default="no,yes")
    options.add_argument("--fault-share", type=float, default=0.0)
    options.add_argument("--latency-ms", type=float, default=0.0)
    options.add_argument("--retry-after", default="1")
    options.add_argument("--silent-s", type=float, default=3.0)
    given = options.parse_args()
    api = FaultyApi(
        given.labels.split(","), given.fault_share, given.latency_ms / 1000, given.retry_after, given.silent_s
    )
    server = await asyncio.start_server(api.serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
