"""`evalkit load` as a user runs it, against servers that behave and servers that do not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from tests.unit.loadtest.raw_server import OK, always, once, raw_server, read_request

pytestmark = pytest.mark.alone

ANSWER = b'{"predictions": [{"label": "A"}]}'
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(ANSWER), ANSWER)
SHORT = ("--rate", "50", "--duration", "2s", "--warmup", "200ms", "--timeout", "1s")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "requests.csv").write_text(
        "text,label,channel\n" + "".join(f"hello {n},A,c{n % 2}\n" for n in range(9))
    )
    return tmp_path


@pytest.fixture
def load(evalkit, folder):
    """Runs the command and returns how it ended, and its summary.json where there is one."""

    def run(url, *options):
        done = evalkit("load", url, "--requests", "requests.csv", *SHORT, *options, cwd=folder)
        path = folder / "load" / "summary.json"
        return done, json.loads(path.read_text()) if path.exists() else None

    return run


def test_a_table_for_people_and_a_summary_and_samples_for_programs(load, folder):
    with raw_server(always(GOOD)) as url:
        done, summary = load(url, "--expected-column", "label", "--tag", "channel", "--p99-ms", "900")
    assert done.returncode == 0, done.stderr + done.stdout
    for name in ("p50_ms", "p90_ms", "p95_ms", "p99_ms", "p999_ms", "goodput_rps", "achieved_ratio"):
        assert name in done.stdout
        assert name in summary["figures"]
    assert (summary["partial"], summary["void"], summary["failures"]) == (False, [], {})
    p50 = summary["figures"]["p50_ms"]
    assert p50["lower"] <= p50["point"] <= p50["upper"]
    samples = pd.read_parquet(folder / "load" / "samples.parquet")
    assert set(samples["tag_channel"]) == {"c0", "c1"}
    assert set(samples["text_length"]) == {7}
    assert samples["label_matches"].all()


def test_json_is_the_summary_and_nothing_else(load):
    with raw_server(always(GOOD)) as url:
        done, summary = load(url, "--json")
    assert json.loads(done.stdout) == summary


def test_a_template_a_pointer_and_a_share_of_checked_answers(load, folder):
    (folder / "body.j2").write_text('{"q": {{ text | tojson }}, "where": "{{ channel }}"}')
    seen = []

    def serve(sock, _number):
        while request := read_request(sock):
            seen.append(request)
            sock.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"out": ["A", "no"]}')

    with raw_server(serve) as url:
        options = ("--template", "body.j2", "--label-pointer", "/out/0", "--expected-column", "label")
        done, _ = load(f"{url}/predict", *options, "--check-share", "0.5", "--header", "X-Tenant: me")
    assert done.returncode in (0, 3), done.stderr
    head, _, body = seen[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /predict HTTP/1.1")
    assert b"X-Tenant: me" in head
    assert json.loads(body)["where"] in ("c0", "c1")
    matches = pd.read_parquet(folder / "load" / "samples.parquet")["label_matches"]
    assert 0.2 < matches.notna().mean() < 0.8
    assert matches.dropna().all()


def test_a_chat_has_the_time_to_its_first_token(load, folder):
    def serve(sock, _number):
        while read_request(sock):
            sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for word in ("", "A", " "):
                event = b"data: " + json.dumps({"choices": [{"delta": {"content": word}}]}).encode() + b"\n\n"
                sock.sendall(b"%x\r\n%b\r\n" % (len(event), event))
                time.sleep(0.02)
            sock.sendall(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")

    with raw_server(serve) as url:
        done, summary = load(url, "--target", "chat", "--model", "m", "--expected-column", "label")
    assert done.returncode in (0, 3), done.stderr
    first = summary["figures"]["first_token_p50_ms"]["point"]
    assert 20 <= first <= summary["figures"]["p50_ms"]["point"] - 30
    assert summary["figures"]["tokens_per_second_of_an_answer"]["point"] < 1 / 0.04
    assert pd.read_parquet(folder / "load" / "samples.parquet")["label_matches"].all()


def test_a_trace_is_replayed_with_its_own_payloads(load, folder):
    times = [number * 0.05 for number in range(40)]
    pd.DataFrame({"time_s": times, "payload": [n % 9 for n in range(40)]}).to_json(
        folder / "trace.jsonl", orient="records", lines=True
    )
    with raw_server(always(GOOD)) as url:
        done = subprocess.run(
            [sys.executable, "-m", "evalkit", "load", url, "--requests", "requests.csv", "--trace", "trace.jsonl",
             "--speed", "0.5", "--warmup", "0s"],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode in (0, 3), done.stderr
    samples = pd.read_parquet(folder / "load" / "samples.parquet")
    assert samples["intended_s"].tolist() == pytest.approx([2 * time for time in times])
    assert samples["payload"].tolist() == [n % 9 for n in range(40)]


@pytest.mark.parametrize(
    ("serve", "failure"),
    [
        (once(b""), "closed"),
        (once(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf"), "closed"),
        (once(b"\x16\x03garbage\r\n\r\n"), "not_http"),
        (always(OK), "no_answer"),
        (always(b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno"), "status"),
        (always(b"HTTP/1.1 302 No\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n"), "redirect"),
        (lambda sock, _: (read_request(sock), time.sleep(5)), "timeout"),
    ],
    ids=["closes", "cuts short", "garbage", "other body", "500", "redirect", "hangs"],
)
def test_a_server_that_misbehaves_voids_the_run_and_is_said_how(load, serve, failure):
    with raw_server(serve) as url:
        done, summary = load(url)
    assert done.returncode == 3
    assert list(summary["failures"]) == [failure]
    assert f"failed: {failure}" in done.stdout
    assert "VOID" in done.stdout


def test_a_server_that_is_not_up_voids_the_run(load):
    with raw_server(always(OK)) as url:
        pass
    done, summary = load(url)
    assert done.returncode == 3
    assert list(summary["failures"]) == ["connect"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--rate", "0"), "rate"),
        (("--rate", "1e9"), "rate_rps is 1e+09"),
        (("--rate", "nan"), "rate"),
        (("--rate", "fast"), "rate is 'fast'"),
        (("--duration", "soon"), "duration is 'soon'"),
        (("--duration", "10ms"), "duration_s is 0.01"),
        (("--arrivals", "gamma"), "gamma:CV"),
        (("--arrivals", "gamma:0"), "gap_cv is 0"),
        (("--check-share", "0"), "check_share is 0"),
        (("--workers", "0"), "workers is 0"),
        (("--target", "chat"), "model"),
        (("--template", "missing.j2"), "does not exist"),
        (("--header", "no colon"), "Name: value"),
        (("--text-column", "words"), "no column 'words'"),
        (("--tag", "words"), "no column 'words'"),
        (("--p99-ms", "5000"), "limit_ms is 5000"),
        (("--master", "nowhere"), "HOST:PORT"),
        (("--ca-file", "missing.pem"), "missing.pem cannot be read"),
        (("--api-key-env", "NOT_SET_ANYWHERE"), "NOT_SET_ANYWHERE holds no key"),
    ],
)
def test_what_cannot_be_asked_ends_with_2_and_one_line(load, options, said):
    url = "https://127.0.0.1:9" if "--ca-file" in options else "http://127.0.0.1:9"
    done, summary = load(url, *options)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("error: ")
    assert summary is None


@pytest.mark.parametrize(
    ("content", "said"), [("time_s\n2\n1\n", "is not sorted: row 1"), ("time_s\n", "is empty"), ("", "is empty")]
)
def test_a_trace_that_is_unsorted_or_empty_is_refused(evalkit, folder, content, said):
    (folder / "trace.csv").write_text(content)
    done = evalkit("load", "http://127.0.0.1:9", "--requests", "requests.csv", "--trace", "trace.csv", cwd=folder)
    assert done.returncode == 2
    assert said in done.stderr


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_keeps_its_samples_and_says_that_they_are_partial(folder, stop):
    with raw_server(always(GOOD)) as url:
        process = subprocess.Popen(
            [sys.executable, "-m", "evalkit", "load", url, "--requests", "requests.csv", "--rate", "100", "--duration",
             "120s", "--warmup", "0s", "--workers", "2"],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "120"},
        )  # fmt: skip
        record = folder / "load" / "worker-0" / "record.raw"
        deadline = time.monotonic() + 40
        while not record.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(2.0)
        process.send_signal(stop)
        out, err = process.communicate(timeout=40)
    assert process.returncode == 130, err
    assert "marked partial" in err
    assert "VOID: The run was interrupted" in out
    samples = pd.read_parquet(folder / "load" / "samples.parquet")
    assert 20 < len(samples) < 4000
    assert json.loads(Path(folder / "load" / "summary.json").read_text())["partial"] is True
