"""Students that start from an encoder that somebody trained: its body and tokenizer, with a new head."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from evalkit.errors import ModelError
from evalkit.modelling.loading import TextClassifier, read_config, refuse_pickles

POOLER = "pooler"


def started_from(folder: Path, labels: tuple[str, ...], seed: int, attention: str | None) -> TextClassifier:
    """The encoder in ``folder`` with its tokenizer and a fresh head for ``labels``.

    A bare BERT gets mean pooling, as the small encoders have; other encoders get the head of their own family. Raises
    ModelError for a folder that is none, holds pickled weights, lacks weights of the encoder, or has no fast tokenizer
    with a padding token.
    """
    from safetensors import SafetensorError
    from transformers import AutoTokenizer

    if not (folder / "config.json").is_file():
        raise ModelError(f"student.distill.start {folder} has no config.json; give a Hugging Face encoder's folder")
    config = read_config(folder)
    refuse_pickles(folder)
    if not (folder / "tokenizer.json").is_file():
        raise ModelError(f"student.distill.start {folder} has no tokenizer.json; save the fast tokenizer beside it")
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model, report = _family(config).from_pretrained(
                folder,
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                attn_implementation=attention,
                num_labels=len(labels),
                id2label=dict(enumerate(labels)),
                label2id={label: index for index, label in enumerate(labels)},
            )
            _renew_head(model)
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(f"student.distill.start {folder} cannot be loaded ({first}); give an encoder") from error
    body = f"{model.base_model_prefix}."
    lacking = sorted(key for key in report["missing_keys"] if key.startswith(body) and POOLER not in key)
    if lacking:
        raise ModelError(f"student.distill.start {folder} lacks weights of its encoder ({', '.join(lacking[:3])})")
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    if tokenizer.pad_token_id is None:
        raise ModelError(f"student.distill.start {folder} has a tokenizer without a padding token; give it one")
    return TextClassifier(model=model.eval(), tokenizer=tokenizer, labels=labels)


def _family(config: dict[str, Any]) -> Any:
    from transformers import AutoModelForSequenceClassification

    from evalkit.modelling.mean_pooled import MeanPooledClassifier

    names = config.get("architectures") or []
    has_head = any(name.endswith("ForSequenceClassification") for name in names)
    bare_bert = config.get("model_type") == "bert" and not has_head
    return MeanPooledClassifier if bare_bert else AutoModelForSequenceClassification


def _renew_head(model: Any) -> None:
    """A head that was trained for other labels says nothing about these."""
    for name, module in model.named_children():
        if name != model.base_model_prefix:
            module.apply(model._init_weights)
