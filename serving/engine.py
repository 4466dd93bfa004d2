"""The student as it computes, the same code offline (`classify`) and behind the server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from serving.device_buffers import DeviceBuffers
from serving.errors import InferenceError, ModelFolderError, ProviderError
from serving.manifest import (
    MODEL_FILE,
    TOKENIZER_FILE,
    Manifest,
    depends_on_batch,
    model_version,
    read_manifest,
    verify_files,
)
from serving.provider import Provider
from serving.session import ORT_ERRORS, nvidia_driver_present, open_session, real_provider
from serving.tokens import EncodedText, TextEncoder, padded_inputs

OFFLINE_ROWS = 32
_KNOWN_INPUTS = {"input_ids", "attention_mask", "token_type_ids"}


@dataclass(frozen=True, slots=True)
class Predictions:
    """Offline answers in the order of the texts: probabilities float32 [n, labels], truncated bool [n]."""

    probabilities: np.ndarray
    truncated: np.ndarray


class Engine:
    """A verified model folder, open on one execution provider.

    `encode` may be called from any thread. `logits` and what uses it are meant for one caller at a time
    (the batching thread): the session would allow more, but the runs would share the same cores.
    """

    def __init__(self, manifest: Manifest, encoder: TextEncoder, session: Any) -> None:
        self._manifest = manifest
        self._encoder = encoder
        self._session = session
        self._inputs = [item.name for item in session.get_inputs()]
        self._output = _logits_name(session)
        self._buffers = (
            DeviceBuffers(session, self._inputs, self._output, "cuda") if self.provider is Provider.CUDA else None
        )
        self._version = model_version(manifest)

    @classmethod
    def load(cls, folder: Path, *, provider: Provider = Provider.AUTO, threads: int = 1) -> Engine:
        """Verify the folder's digests, open it, and answer a probe before anything else relies on it.

        Args:
            folder: the model folder (`manifest.json`, `model.onnx`, `tokenizer.json`).
            provider: CPU and CUDA are strict; AUTO takes CUDA only where the probe ran on it, else the CPU
                (`Engine.provider` says which).
            threads: compute threads of one run.

        Raises:
            ModelFolderError: a file is missing, damaged or altered, or the labels do not fit the logits.
            ProviderError: CUDA was asked for and does not compute.
        """
        manifest = read_manifest(folder)
        verify_files(folder, manifest)
        encoder = TextEncoder.load(folder / TOKENIZER_FILE, max_length=manifest.max_length)

        def opened(chosen: Provider) -> Engine:
            session = open_session(folder / MODEL_FILE, provider=chosen, threads=threads)
            _check_inputs(session, folder)
            engine = cls(manifest, encoder, session)
            engine._probe(folder)
            return engine

        if provider is not Provider.AUTO:
            return opened(provider)
        if nvidia_driver_present():
            try:
                return opened(Provider.CUDA)
            except (ModelFolderError, ProviderError):
                pass  # if the folder is at fault, the CPU says so next
        return opened(Provider.CPU)

    @property
    def name(self) -> str:
        """The model's name, as in its manifest."""
        return self._manifest.name

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels in the order of the logits."""
        return self._manifest.labels

    @property
    def version(self) -> str:
        """A short digest of the files, labels and maximum length (see `model_version`)."""
        return self._version

    @property
    def max_length(self) -> int:
        """Tokens of one row at most, special tokens included."""
        return self._manifest.max_length

    @property
    def vocabulary_size(self) -> int:
        """Token ids are below it."""
        return self._encoder.vocabulary_size

    @property
    def pad_id(self) -> int:
        """The token id that fills a batch up."""
        return self._encoder.pad_id

    @property
    def takes_segments(self) -> bool:
        """Whether the model reads `token_type_ids`."""
        return "token_type_ids" in self._inputs

    @property
    def provider(self) -> Provider:
        """The provider the session computes on (CPU or CUDA), whatever was asked for."""
        return real_provider(self._session)

    def encode(self, texts: Sequence[str]) -> list[EncodedText]:
        """Token ids of each text, and whether it was cut at the manifest's maximum length."""
        return self._encoder.encode(texts)

    def logits(self, encoded: Sequence[EncodedText]) -> np.ndarray:
        """Run one padded batch of at least one row: float32 [rows, labels].

        Raises:
            InferenceError: the run failed, or a logit is not finite (naming the first such row).
        """
        inputs = padded_inputs(encoded, pad_id=self._encoder.pad_id)
        try:
            raw = self._computed(inputs)
        except ORT_ERRORS as error:
            raise InferenceError(f"the model failed on a batch of {len(encoded)}: {error}") from error
        logits: np.ndarray = np.asarray(raw, dtype=np.float32)
        if not np.isfinite(logits).all():
            row = int(np.argmin(np.isfinite(logits).reshape(len(logits), -1).all(axis=1)))
            raise InferenceError(
                f"the logits of row {row} of {len(logits)} are not finite; check the model's precision"
            )
        return logits

    def _computed(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        if self._buffers is not None:
            return self._buffers.run(inputs)
        found: np.ndarray = self._session.run([self._output], {name: inputs[name] for name in self._inputs})[0]
        return found

    def probabilities(self, encoded: Sequence[EncodedText]) -> np.ndarray:
        """Softmax of `logits`, computed in float64: float32 [rows, labels]."""
        return softmax(self.logits(encoded))

    @property
    def depends_on_batch(self) -> bool:
        """Whether an answer may depend on the rows beside it (see `serving.manifest`)."""
        return depends_on_batch(self._manifest)

    def classify(self, texts: Sequence[str], batch_rows: int | None = None) -> Predictions:
        """Classify a whole data set; texts of like length share a batch, answers keep the texts' order.

        By default 32 texts do, and each is alone where its answer would depend on the others.
        """
        batch_rows = batch_rows or (1 if self.depends_on_batch else OFFLINE_ROWS)
        encoded = self.encode(texts)
        probabilities = np.empty((len(encoded), len(self.labels)), dtype=np.float32)
        by_length = np.argsort([len(row.ids) for row in encoded], kind="stable")
        for start in range(0, len(encoded), batch_rows):
            rows = by_length[start : start + batch_rows]
            probabilities[rows] = self.probabilities([encoded[row] for row in rows])
        return Predictions(probabilities, np.array([row.truncated for row in encoded], dtype=bool))

    def warm_up(self, batch_rows: int) -> None:
        """Run batches of one and of `batch_rows`, short and of maximum length: first runs are slow."""
        for text in ("a", "a " * self._manifest.max_length):
            for rows in (1, batch_rows):
                self.logits(self.encode([text] * rows))

    def _probe(self, folder: Path) -> None:
        """Answer one short and one longest text in one batch, as a served batch may look."""
        texts = ["a", "a " * self._manifest.max_length]
        try:
            logits = self.logits(self.encode(texts))
        except InferenceError as error:
            raise ModelFolderError(
                f"{folder / MODEL_FILE} does not answer texts up to max_length {self._manifest.max_length}: "
                f"{error}; export the model again, or lower max_length"
            ) from error
        if logits.shape != (len(texts), len(self.labels)):
            raise ModelFolderError(
                f"{folder / MODEL_FILE} gives logits {list(logits.shape)} for {len(texts)} texts, but the "
                f"manifest has {len(self.labels)} labels; list one label per logit, in order"
            )


def softmax(logits: np.ndarray) -> np.ndarray:
    """Row-wise softmax, in float64 and returned as float32, of the same shape.

    >>> softmax(np.array([[0.0, 0.0], [1000.0, 0.0]])).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    wide = logits.astype(np.float64)
    powers = np.exp(wide - wide.max(axis=1, keepdims=True))
    result: np.ndarray = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return result


def _check_inputs(session: Any, folder: Path) -> None:
    found = {item.name: item.type for item in session.get_inputs()}
    wrong = {name: kind for name, kind in found.items() if kind != "tensor(int64)" or name not in _KNOWN_INPUTS}
    if wrong or "input_ids" not in found:
        raise ModelFolderError(
            f"{folder / MODEL_FILE} asks for inputs {found}; a text classifier takes int64 input_ids, "
            "attention_mask and, if it wants, token_type_ids"
        )


def _logits_name(session: Any) -> str:
    names: list[str] = [item.name for item in session.get_outputs()]
    return "logits" if "logits" in names else names[0]
