"""Text → token ids → one padded batch, as the model folder's `tokenizer.json` says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from serving.errors import InferenceError, ModelFolderError

# Names used for padding by the usual vocabularies, for files that do not state one.
_PAD_TOKENS = ("[PAD]", "<pad>")


@dataclass(frozen=True, slots=True)
class EncodedText:
    """One text as the model reads it: token ids, their segment ids, and whether the text was cut."""

    ids: list[int]
    type_ids: list[int]
    truncated: bool

    def __len__(self) -> int:
        return len(self.ids)


class TextEncoder:
    """A tokenizer with a fixed maximum length. Safe to use from several threads at once."""

    def __init__(self, tokenizer: Tokenizer, *, pad_id: int) -> None:
        self._tokenizer = tokenizer
        self.pad_id = pad_id
        self.vocabulary_size = max(tokenizer.get_vocab().values(), default=0) + 1

    @classmethod
    def load(cls, path: Path, *, max_length: int) -> TextEncoder:
        """Read `tokenizer.json`; texts beyond `max_length` tokens (special ones included) are cut.

        Raises:
            ModelFolderError: the file is damaged, names no padding token, pads on the left, or cannot cut
                to `max_length`.
        """
        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises nothing narrower
            raise ModelFolderError(f"{path} is no tokenizer ({error}); package the model again") from error
        pad_id = _pad_id(tokenizer, path)
        tokenizer.no_padding()
        special = tokenizer.num_special_tokens_to_add(is_pair=False)
        if max_length <= special:
            raise ModelFolderError(
                f"{path}: max_length {max_length} leaves no room beside {special} special tokens; raise it"
            )
        side = (tokenizer.truncation or {}).get("direction", "right")
        tokenizer.enable_truncation(max_length, direction=side)
        return cls(tokenizer, pad_id=pad_id)

    def encode(self, texts: Sequence[str]) -> list[EncodedText]:
        """Encode each text; `truncated` is true where tokens were dropped at the maximum length.

        Raises:
            InferenceError: a text is not valid Unicode (a lone surrogate) or not a string.
        """
        try:
            encodings = self._tokenizer.encode_batch_fast(list(texts))
        except TypeError as error:
            bad = next((index for index, text in enumerate(texts) if not _is_unicode(text)), None)
            raise InferenceError(f"text {bad} of {len(texts)} is not valid Unicode; clean the input") from error
        return [EncodedText(item.ids, item.type_ids, bool(item.overflowing)) for item in encodings]


def padded_inputs(encoded: Sequence[EncodedText], *, pad_id: int) -> dict[str, np.ndarray]:
    """One batch, padded on the right to its longest row: name → int64 [rows, tokens].

    The attention mask is 1 on real tokens and 0 on padding.
    """
    shape = (len(encoded), max(1, *(len(row.ids) for row in encoded)))
    ids = np.full(shape, pad_id, dtype=np.int64)
    mask = np.zeros(shape, dtype=np.int64)
    types = np.zeros(shape, dtype=np.int64)
    for index, row in enumerate(encoded):
        length = len(row.ids)
        ids[index, :length] = row.ids
        mask[index, :length] = 1
        types[index, :length] = row.type_ids
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}


def _is_unicode(text: object) -> bool:
    """False for a lone surrogate, which a Python string can hold and UTF-8 cannot."""
    if not isinstance(text, str):
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _pad_id(tokenizer: Tokenizer, path: Path) -> int:
    padding = tokenizer.padding
    if padding is not None:
        if padding["direction"] != "right":
            raise ModelFolderError(f"{path} pads on the {padding['direction']}; only right padding is served")
        return int(padding["pad_id"])
    for token in _PAD_TOKENS:
        found = tokenizer.token_to_id(token)
        if found is not None:
            return int(found)
    raise ModelFolderError(
        f"{path} names no padding token; call enable_padding(pad_id=…, pad_token=…) before saving it"
    )
