"""Another model in place of the served one, in process: what may be loaded, and what is answered meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from serving.app import create_app
from serving.engine import Engine
from serving.errors import InvalidRequest
from serving.keys import Keys, NotAllowed
from serving.provider import Provider
from serving.repository import allowed_folder
from serving.settings import ServerSettings
from serving.surroundings import Surroundings
from tests.model_folders import LABELS, write_tiny_model_folder

KEY, ADMIN = "an-api-key-of-20-chars", "an-admin-key-of-22-chars"
KEYS = Keys((KEY.encode(),), (ADMIN.encode(),))
LOAD = "/v2/repository/models/tiny/load"
Test = Callable[[httpx.AsyncClient, FastAPI], Awaitable[None]]


@pytest.fixture
def models(tmp_path: Path) -> Path:
    root = tmp_path / "models"
    for seed, name in enumerate(("one", "two")):
        write_tiny_model_folder(root / name, seed=seed)
    return root


def with_client(models: Path, test: Test, *, keys: Keys = KEYS, rooted: bool = True) -> None:
    async def body() -> None:
        served = models / "one"
        settings = ServerSettings(provider=Provider.CPU, model_root=models if rooted else None)
        engine = Engine.load(served, provider=Provider.CPU)
        app = create_app(engine, settings, Surroundings(keys=keys, folder=served))
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        headers = {"X-Api-Key": ADMIN}
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client,
            app.router.lifespan_context(app),
        ):
            await asyncio.wait_for(test(client, app), timeout=30)

    asyncio.run(body())


def body_of(folder: str, **parameters: object) -> bytes:
    return json.dumps({"parameters": {"folder": folder, **parameters}}).encode()


async def version_of(client: httpx.AsyncClient) -> str:
    answer = await client.post("/v1/classify", json={"texts": ["good"]})
    assert answer.status_code == 200
    return str(answer.json()["version"])


def test_a_loaded_model_answers_from_then_on_and_the_index_says_so(models: Path) -> None:
    versions = [Engine.load(models / name, provider=Provider.CPU).version for name in ("one", "two")]

    async def test(client: httpx.AsyncClient, _: FastAPI) -> None:
        assert await version_of(client) == versions[0]
        loaded = await client.post(LOAD, content=body_of("two"))
        assert (loaded.status_code, loaded.json()) == (
            200,
            {"name": "tiny", "version": versions[1], "former_version": versions[0]},
        )
        assert await version_of(client) == versions[1]
        entry = {"name": "tiny", "version": versions[1], "state": "READY", "reason": ""}
        assert (await client.post("/v2/repository/index", json={})).json() == [entry]
        assert (await client.post(LOAD)).json()["version"] == versions[0]  # the folder it was started with

    with_client(models, test)


@pytest.mark.parametrize(
    ("spoil", "status", "detail"),
    [
        (lambda folder: (folder / "model.onnx").write_bytes(b"x"), 422, "model.onnx has sha256"),
        (lambda folder: (folder / "manifest.json").unlink(), 422, "cannot be read"),
        (
            lambda folder: write_tiny_model_folder(folder, labels=LABELS[::-1]),
            409,
            "other labels than the served model",
        ),
        (
            lambda folder: (folder / "manifest.json").write_text(
                (folder / "manifest.json").read_text().replace('"name": "tiny"', '"name": "other"')
            ),
            409,
            "holds the model 'other'",
        ),
    ],
)
def test_a_folder_that_cannot_take_its_place_leaves_the_served_model(
    models: Path, spoil: Callable[[Path], object], status: int, detail: str
) -> None:
    async def test(client: httpx.AsyncClient, _: FastAPI) -> None:
        before = await version_of(client)
        spoil(models / "two")
        refused = await client.post(LOAD, content=body_of("two"))
        assert refused.status_code == status
        assert refused.headers["content-type"] == "application/problem+json"
        assert detail in refused.json()["detail"]
        assert await version_of(client) == before
        assert (await client.post(LOAD, content=body_of("one"))).status_code == 200  # nothing is left in the way

    with_client(models, test)


def test_other_labels_are_served_once_somebody_says_that_they_may(models: Path) -> None:
    write_tiny_model_folder(models / "two", labels=("no", "yes"))

    async def test(client: httpx.AsyncClient, _: FastAPI) -> None:
        assert (await client.post(LOAD, content=body_of("two", allow_other_labels=False))).status_code == 409
        assert (await client.post(LOAD, content=body_of("two", allow_other_labels=True))).status_code == 200
        answer = (await client.post("/v1/classify", json={"texts": ["good"]})).json()
        assert (answer["labels"], answer["predictions"][0]["label"]) == (["no", "yes"], "yes")

    with_client(models, test)


def test_two_loads_at_once_are_a_conflict_and_requests_go_on(models: Path) -> None:
    async def test(client: httpx.AsyncClient, _: FastAPI) -> None:
        loads = [client.post(LOAD, content=body_of("two")) for _ in range(2)]
        requests = [client.post("/v1/classify", json={"texts": ["good"]}) for _ in range(50)]
        answers = await asyncio.gather(*loads, *requests)
        assert sorted(answer.status_code for answer in answers[:2]) == [200, 409]
        assert {answer.status_code for answer in answers[2:]} == {200}

    with_client(models, test)


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        (LOAD, b"{", {}, 400),
        (LOAD, b"[]", {}, 400),
        (LOAD, b'{"other": 1}', {}, 400),
        (LOAD, b'{"parameters": []}', {}, 400),
        (LOAD, b'{"parameters": {"config": "{}"}}', {}, 400),
        (LOAD, b'{"parameters": {"folder": 3}}', {}, 400),
        (LOAD, b'{"parameters": {"allow_other_labels": "yes"}}', {}, 400),
        (LOAD, b'{"parameters": {"folder": "a\\u0000b"}}', {}, 400),
        (LOAD, b" " * 70_000, {}, 413),
        (LOAD, b'{"parameters": {"folder": "../elsewhere"}}', {}, 403),
        (LOAD, b'{"parameters": {"folder": "/etc"}}', {}, 403),
        (LOAD, b'{"parameters": {"folder": "none"}}', {}, 422),
        ("/v2/repository/models/other/load", b"", {}, 404),
        (LOAD, b"", {"X-Api-Key": KEY}, 403),
        (LOAD, b"", {"X-Api-Key": "wrong"}, 401),
        ("/v2/repository/models/tiny/unload", b"", {}, 404),
    ],
)
def test_a_bad_load_is_refused_in_words(
    models: Path, path: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    async def test(client: httpx.AsyncClient, _: FastAPI) -> None:
        refused = await client.post(path, content=body, headers=headers)
        assert refused.status_code == status
        assert refused.headers["content-type"] == "application/problem+json"

    with_client(models, test)


def test_without_an_admin_key_nothing_is_loaded(models: Path) -> None:
    async def test(client: httpx.AsyncClient, _: FastAPI) -> None:
        refused = await client.post(LOAD)
        assert refused.status_code == 403
        assert "started without --admin-key-file" in refused.json()["detail"]

    with_client(models, test, keys=replace(KEYS, api=(), admin=()))


def test_without_a_root_only_the_served_folder_is_read_again(models: Path) -> None:
    async def test(client: httpx.AsyncClient, _: FastAPI) -> None:
        refused = await client.post(LOAD, content=body_of("two"))
        assert refused.status_code == 403
        assert "--model-root" in refused.json()["detail"]
        before = await version_of(client)
        write_tiny_model_folder(models / "one", seed=9)
        assert (await client.post(LOAD)).json()["former_version"] == before
        assert await version_of(client) != before

    with_client(models, test, rooted=False)


def test_a_link_out_of_the_root_is_not_followed(models: Path, tmp_path: Path) -> None:
    write_tiny_model_folder(tmp_path / "outside")
    (models / "link").symlink_to(tmp_path / "outside")
    (models / "round").symlink_to(models / "round")

    with pytest.raises(NotAllowed, match="not below the model root"):
        allowed_folder("link", None, models)
    with pytest.raises((InvalidRequest, NotAllowed)):
        allowed_folder("round", None, models)
    assert allowed_folder("one/../two", None, models) == (models / "two").resolve()
