"""A torch module of the user's own as a text classifier: built by its function, saved as a folder and opened again."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from evalkit.disk import written
from evalkit.errors import ModelError, SpecError
from evalkit.modelling.loading import WEIGHTS_FILE, TextClassifier, load_tokenizer
from evalkit.modelling.own_folder import OwnFolder, read_own_folder, write_own_folder
from evalkit.spec.own_code import OwnCode, in_one_line

MAKE = "function(tokenizer, labels, **arguments) must return a torch.nn.Module"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """The hidden states that a module offers: ``layers`` of them after the first, all of one ``width``."""

    layers: int
    width: int


class OwnClassifier(nn.Module):
    """The user's module with the outputs that training and prediction read.

    ``hidden`` is None until ``evalkit.modelling.own_contract`` has seen that it offers hidden states.
    """

    def __init__(self, module: nn.Module, name: str) -> None:
        super().__init__()
        self.module, self.name = module, name
        self.hidden: Hidden | None = None

    def forward(self, input_ids: Tensor, attention_mask: Tensor, **asked: bool) -> Any:
        """Logits [rows, labels] and, where asked, hidden states [rows, tokens, width]. Raises SpecError."""
        from transformers.modeling_outputs import SequenceClassifierOutput

        try:
            given = self.module(input_ids, attention_mask, **asked)
        except Exception as error:
            raise SpecError(
                f"{self.name} made a module whose forward raised {type(error).__name__} on input_ids "
                f"{list(input_ids.shape)}: {in_one_line(str(error))}; mend it"
            ) from error
        return SequenceClassifierOutput(logits=logits_of(given), hidden_states=getattr(given, "hidden_states", None))


class LogitsAlone(nn.Module):
    """The user's module as torch's exporter wants it: one tensor."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Logits [rows, labels]."""
        logits: Tensor = logits_of(self.module(input_ids, attention_mask))
        return logits


def logits_of(given: Any) -> Any:
    """What a module answered, or the ``logits`` of it."""
    return given if isinstance(given, Tensor) else getattr(given, "logits", given)


def own_student(
    code: OwnCode, arguments: dict[str, Any], tokenizer: Any, labels: Sequence[str], seed: int
) -> TextClassifier:
    """Calls the function with torch seeded by ``seed``, and with a copy of the tokenizer, so that it can change none.

    Raises SpecError where the function is not there, raises, or returns no module.
    """
    function = code.function()
    name = f"{code.key} {code.name}"
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        try:
            module = function(copy.deepcopy(tokenizer), tuple(labels), **copy.deepcopy(arguments))
        except (Exception, SystemExit) as error:
            raise SpecError(
                f"{name} raised {type(error).__name__} when called with the arguments "
                f"{json.dumps(arguments, ensure_ascii=False)}: {in_one_line(str(error))}; {MAKE}"
            ) from error
    if not isinstance(module, nn.Module):
        raise SpecError(f"{name} returned {in_one_line(repr(module))} ({type(module).__name__}); {MAKE}")
    return TextClassifier(model=OwnClassifier(module, name).eval(), tokenizer=tokenizer, labels=tuple(labels))


def save_own(student: TextClassifier, code: OwnCode, arguments: dict[str, Any], seed: int, folder: Path) -> None:
    """Writes the folder that ``load_own`` reads. Raises StageError where the disk does not take it."""
    from safetensors.torch import save_model

    stated = OwnFolder(
        function=code.name, arguments=arguments, labels=student.labels, seed=seed, code_sha256=code.digest
    )
    with written(folder):
        folder.mkdir(parents=True, exist_ok=True)
        save_model(student.model.module, str(folder / WEIGHTS_FILE), metadata={"format": "pt"})
        student.tokenizer.save_pretrained(folder)
        write_own_folder(folder, stated)


def load_own(folder: Path, code: OwnCode) -> TextClassifier:
    """Calls the function again, as it was called before training, and puts the trained weights in.

    The folder has been checked to be one of ``code``. Raises ModelError where the weights do not fit what the function
    makes now.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_model

    stated = read_own_folder(folder)
    student = own_student(code, stated.arguments, load_tokenizer(folder), stated.labels, stated.seed)
    try:
        load_model(student.model.module, folder / WEIGHTS_FILE)
    except (RuntimeError, SafetensorError, OSError, KeyError) as error:
        changed = code.digest != stated.code_sha256
        why = "its code was changed since the training; restore it, or train again" if changed else "it is damaged"
        raise ModelError(
            f"{folder / WEIGHTS_FILE} does not fit the module that {code.name} makes ({in_one_line(str(error))}): {why}"
        ) from error
    return student
