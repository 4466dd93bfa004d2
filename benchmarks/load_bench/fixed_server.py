"""nginx with one fixed answer: fast enough that the generator is the limit."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.serving_bench.processes import free_port, pinned, wait_until

ANSWER = json.dumps({"predictions": [{"label": "A", "score": 0.9}]})
TEXT = "a text of some thirty characters"
BODY = json.dumps({"texts": [TEXT]})
CONFIGURATION = """\
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 20000; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ default_type application/json; return 200 '{answer}'; }}
  }}
}}
"""


@contextmanager
def fixed_server(folder: Path, core: int) -> Iterator[str]:
    """Its base address, while it lives on ``core``."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    configuration = folder / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(folder=folder, port=port, answer=ANSWER))
    log = folder / "nginx.out"
    with pinned(core, ["nginx", "-c", str(configuration)], folder, log) as process:
        wait_until(lambda: _answers(url), process, log)
        yield url


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
