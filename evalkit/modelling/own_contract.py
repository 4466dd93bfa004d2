"""What a torch module of the user's own must do, seen before any training starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from evalkit.errors import SpecError
from evalkit.modelling.batches import pad, tokenise
from evalkit.modelling.loading import TextClassifier
from evalkit.modelling.own_module import Hidden, OwnClassifier, own_student
from evalkit.spec.own_code import OwnCode

LARGEST_NEIGHBOUR_EFFECT = 1e-4
"""Of a logit, per unit of the largest one: rounding in fp32 is some hundred times smaller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Two rows for a module: ids from all over the vocabulary as long as a text may be, and as few as one can have."""

    both: dict[str, Tensor]
    shorter: dict[str, Tensor]

    @classmethod
    def of(cls, tokenizer: Any, max_length: int) -> Trial:
        """``max_length`` tokens and the special tokens alone, one where there are none."""
        longest = torch.linspace(0, len(tokenizer) - 1, max_length).long().tolist()
        shortest = tokenise(tokenizer, [""], max_length)[0] or [len(tokenizer) - 1]
        return cls(
            both=pad([longest, shortest], tokenizer.pad_token_id), shorter=pad([shortest], tokenizer.pad_token_id)
        )


def checked_student(
    code: OwnCode,
    arguments: dict[str, Any],
    tokenizer: Any,
    labels: Sequence[str],
    *,
    seed: int,
    max_length: int,
    hidden_states: bool,
) -> TextClassifier:
    """The student before training, once it is seen to do what it must.

    ``hidden_states`` says whether an objective reads them. Raises SpecError, in one line, for the first fault.
    """
    student, twin = (own_student(code, arguments, tokenizer, labels, seed) for _ in range(2))
    model: OwnClassifier = student.model
    trial = Trial.of(tokenizer, max_length)
    _refuse_weights(model, twin.model)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        _refuse_untrained(twin.model, trial, len(labels))  # the twin's: training changes running means
        with torch.no_grad():
            together = _logits(model, trial.both, len(labels))
            alone = _logits(model, trial.shorter, len(labels))
            _refuse_neighbours(model.name, together[1], alone[0])
            model.hidden = _hidden(model, trial) if hidden_states else None
    return student


def _refuse_weights(model: OwnClassifier, twin: OwnClassifier) -> None:
    if not any(each.requires_grad for each in model.parameters()):
        raise SpecError(
            f"{model.name} made a module without a trainable parameter; make its weights nn.Parameter, its parts "
            "attributes or nn.ModuleList, and leave requires_grad on"
        )
    lazy = [name for name, each in model.module.named_parameters() if nn.parameter.is_lazy(each)]
    if lazy:
        raise SpecError(f"{model.name} made a module with lazy parameters ({lazy[0]}); give their sizes")
    states = model.state_dict(), twin.state_dict()
    for key, value in states[0].items():
        if not isinstance(value, Tensor):
            raise SpecError(
                f"{model.name} made a module whose state_dict holds {key.removeprefix('module.')}, a "
                f"{type(value).__name__}; only tensors can be saved, so leave out get_extra_state"
            )
    same = states[0].keys() == states[1].keys() and all(
        _equal(value, states[1][key]) for key, value in states[0].items()
    )
    if not same:
        raise SpecError(
            f"{model.name} starts from other weights when called twice with one seed; draw them with torch's own "
            "generator, which is seeded before the call"
        )


def _equal(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and bool(((one == other) | (one != one)).all())


def _logits(model: OwnClassifier, batch: dict[str, Tensor], labels: int) -> Tensor:
    """Logits [rows, labels] in the mode that the model is in. Raises SpecError for anything else."""
    given = model(**batch).logits
    rows = len(batch["input_ids"])
    if not isinstance(given, Tensor):
        raise SpecError(
            f"{model.name} made a module that answers {type(given).__name__}; its forward must return logits [rows, "
            "labels], or an object with such .logits"
        )
    if tuple(given.shape) != (rows, labels) or not given.is_floating_point():
        raise SpecError(
            f"{model.name} made a module that answers {str(given.dtype).removeprefix('torch.')} {list(given.shape)} to "
            f"input_ids {list(batch['input_ids'].shape)}; return floating-point logits [{rows}, {labels}]: one for "
            "each row and label"
        )
    if not torch.isfinite(given).all():
        raise SpecError(
            f"{model.name} made a module that answers NaN or infinity before any training, to input_ids "
            f"{list(batch['input_ids'].shape)}; mend its start, or what it does with padding"
        )
    return given


def _refuse_untrained(model: OwnClassifier, trial: Trial, labels: int) -> None:
    """The first step, as training will take it."""
    logits = _logits(model.train(), trial.both, labels)
    if not logits.requires_grad:
        raise SpecError(
            f"{model.name} made a module whose logits depend on no trainable weight; take no_grad and detach out of "
            "its forward"
        )
    logits.sum().backward()
    for name, each in model.module.named_parameters():
        if each.grad is not None and each.grad.is_sparse:
            raise SpecError(
                f"{model.name} made a module with sparse gradients ({name}), which AdamW does not take; give its "
                "embeddings sparse=False"
            )


def _refuse_neighbours(name: str, together: Tensor, alone: Tensor) -> None:
    """What is served shares batches with longer texts."""
    difference = (together - alone).abs().max().item()
    if difference > LARGEST_NEIGHBOUR_EFFECT * max(1.0, alone.abs().max().item()):
        raise SpecError(
            f"{name} made a module whose logits for a text change by {difference:.2g} when a longer text stands in the "
            "same batch; leave out the tokens whose attention_mask is 0"
        )


def _hidden(model: OwnClassifier, trial: Trial) -> Hidden:
    """The shape of its hidden states. Raises SpecError where it offers none that objectives can read."""
    try:
        states = model(**trial.both, output_hidden_states=True).hidden_states
    except SpecError:  # its forward takes no such argument
        states = None
    rows, tokens = trial.both["input_ids"].shape
    shapes = [tuple(each.shape) for each in states or () if isinstance(each, Tensor)]
    usable = len(shapes) >= 2 and all(len(each) == 3 and each[:2] == (rows, tokens) for each in shapes)
    if not usable or len({each[2] for each in shapes[1:]}) > 1:
        raise SpecError(
            f"{model.name} made a module without hidden states (it gave {shapes}), and an objective reads them; let "
            "forward(..., output_hidden_states=True) return an object with .logits and .hidden_states, those before "
            "the first layer and after each, all [rows, tokens, width], or use response objectives"
        )
    return Hidden(layers=len(shapes) - 1, width=shapes[-1][2])
