"""From the tensors of a request to the rows that the model answers, and from its answers to tensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from serving.classifier import Answered, Classifier, Gone
from serving.engine import Engine
from serving.errors import InvalidRequest
from serving.tensors import FP32, IDS, LABEL, MASK, OUTPUTS, PROBABILITIES, SEGMENTS, TEXT, Tensor, packed, shown
from serving.tokens import EncodedText


@dataclass(frozen=True, slots=True)
class Texts:
    """Rows that the server tokenises."""

    texts: Sequence[str]

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Rows that the client tokenised."""

    encoded: Sequence[EncodedText]

    def __len__(self) -> int:
        return len(self.encoded)


@dataclass(frozen=True, slots=True)
class OutputTensor:
    """One output of a request: float32 [n, labels], or n labels."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: np.ndarray | list[str]

    def raw(self) -> bytes:
        """The data in the binary form."""
        if isinstance(self.data, list):
            return packed(self.data)
        return self.data.astype("<f4", copy=False).tobytes()


def collected(tensors: Iterable[Tensor]) -> dict[str, Tensor]:
    """The inputs by name.

    Raises:
        InvalidRequest: a name comes twice. It is raised before the tensors that follow are read.
    """
    found: dict[str, Tensor] = {}
    for tensor in tensors:
        name = tensor.header.name
        if name in found:
            raise InvalidRequest(f"input {name!r} comes twice; give each input once")
        found[name] = tensor
    return found


def rows_of(inputs: Mapping[str, Tensor], engine: Engine) -> Texts | Tokens:
    """The rows of a request.

    Raises:
        InvalidRequest: there is neither `text` nor `input_ids`, or both; token inputs of different shapes; a token
            id outside the vocabulary; a mask that is not 1s followed by 0s, or is 0 for a whole row.
    """
    if TEXT in inputs:
        if len(inputs) > 1:
            raise InvalidRequest(f"the request has {', '.join(inputs)}; give either {TEXT!r} or token ids, not both")
        return Texts(inputs[TEXT].data)
    if IDS not in inputs:
        given = ", ".join(inputs) or "no input"
        raise InvalidRequest(f"the request has {given}; give {TEXT!r} or {IDS!r}")
    return Tokens(_encoded(inputs, engine))


def wanted_outputs(names: Iterable[str]) -> Sequence[str]:
    """The outputs that a request names, in its order; all of them where it names none.

    Raises:
        InvalidRequest: an output that does not exist, or comes twice.
    """
    wanted: list[str] = []
    for name in names:
        if name not in OUTPUTS:
            raise InvalidRequest(f"the model has no output {shown(name)}; its outputs are {', '.join(OUTPUTS)}")
        if name in wanted:
            raise InvalidRequest(f"output {name!r} is asked for twice; ask once")
        wanted.append(name)
    return wanted or list(OUTPUTS)


async def answer_rows(
    classifier: Classifier, rows: Texts | Tokens, *, deadline: float | None, gone: Gone | None = None
) -> Answered:
    """See `Classifier.answer_texts` and `Classifier.answer_tokens`."""
    if isinstance(rows, Texts):
        return await classifier.answer_texts(rows.texts, deadline=deadline, gone=gone)
    return await classifier.answer_tokens(rows.encoded, deadline=deadline, gone=gone)


def output_tensors(answered: Answered, wanted: Sequence[str]) -> list[OutputTensor]:
    """The named outputs, in that order."""
    return [_OUTPUT[name](answered) for name in wanted]


def _probabilities(answered: Answered) -> OutputTensor:
    rows, labels = answered.probabilities.shape
    return OutputTensor(PROBABILITIES, FP32, (rows, labels), answered.probabilities)


def _label(answered: Answered) -> OutputTensor:
    labels = answered.engine.labels
    best: list[int] = np.argmax(answered.probabilities, axis=1).tolist()
    return OutputTensor(LABEL, OUTPUTS[LABEL], (len(best),), [labels[index] for index in best])


_OUTPUT = {PROBABILITIES: _probabilities, LABEL: _label}


def _encoded(inputs: Mapping[str, Tensor], engine: Engine) -> list[EncodedText]:
    ids: np.ndarray = inputs[IDS].data
    for name, tensor in inputs.items():
        if tensor.data.shape != ids.shape:
            raise InvalidRequest(
                f"input {name!r} has shape {list(tensor.data.shape)} and {IDS!r} {list(ids.shape)}; they must be equal"
            )
    _check_range(IDS, ids, engine.vocabulary_size, "the vocabulary")
    segments = inputs[SEGMENTS].data if SEGMENTS in inputs else np.zeros_like(ids)
    _check_range(SEGMENTS, segments, 2, "the two segments")
    lengths = _lengths(inputs[MASK].data) if MASK in inputs else _full(ids, engine.pad_id)
    return [
        EncodedText(row[:length].tolist(), kinds[:length].tolist(), truncated=False)
        for row, kinds, length in zip(ids, segments, lengths, strict=True)
    ]


def _check_range(name: str, values: np.ndarray, limit: int, what: str) -> None:
    lowest, highest = int(values.min()), int(values.max())
    if lowest < 0 or highest >= limit:
        wrong = lowest if lowest < 0 else highest
        raise InvalidRequest(f"input {name!r} has the id {wrong}, which is not in {what}: 0 to {limit - 1}")


def _lengths(mask: np.ndarray) -> list[int]:
    """The number of real tokens of each row."""
    counts = (mask == 1).sum(axis=1)
    if not np.array_equal(mask, np.arange(mask.shape[1]) < counts[:, None]):
        raise InvalidRequest(f"input {MASK!r} must be 1 on the tokens of a row and 0 on the padding after them")
    if not counts.all():
        raise InvalidRequest(f"row {int(np.argmin(counts))} of input {MASK!r} is all 0; a row needs one token at least")
    lengths: list[int] = counts.tolist()
    return lengths


def _full(ids: np.ndarray, pad_id: int) -> list[int]:
    """Without a mask every token is real; a row that ends in padding would be answered wrongly."""
    padded = ids[:, -1] == pad_id
    if padded.any():
        raise InvalidRequest(
            f"row {int(np.argmax(padded))} of input {IDS!r} ends in the padding id {pad_id}; "
            f"give {MASK!r} to say which tokens are real"
        )
    return [ids.shape[1]] * len(ids)
