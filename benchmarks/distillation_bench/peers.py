"""What the training loop is held against: Hugging Face's Trainer as it comes."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from evalkit.modelling.loading import TextClassifier
from evalkit.students.schedule import Schedule


def trainer_seconds(
    student: TextClassifier, texts: Sequence[str], labels: NDArray[np.int64], schedule: Schedule
) -> float:
    """Seconds that transformers' Trainer takes, with its defaults but for batch, rate and length, tokenising
    included."""
    from transformers import DataCollatorWithPadding, Trainer, TrainingArguments

    started = time.perf_counter()
    encoded = student.tokenizer(list(texts), truncation=True, max_length=schedule.max_length)
    rows = [
        {"input_ids": ids, "attention_mask": mask, "labels": int(label)}
        for ids, mask, label in zip(encoded["input_ids"], encoded["attention_mask"], labels, strict=True)
    ]
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=schedule.batch_rows,
            num_train_epochs=schedule.epochs,
            learning_rate=schedule.learning_rate,
            seed=schedule.seed,
            use_cpu=not torch.cuda.is_available(),
            label_names=["labels"],
            remove_unused_columns=False,
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
            dataloader_pin_memory=False,
        )
        Trainer(
            model=student.model,
            args=arguments,
            train_dataset=rows,
            data_collator=DataCollatorWithPadding(student.tokenizer),
            compute_loss_func=_cross_entropy,
        ).train()
    return time.perf_counter() - started


def _cross_entropy(outputs: Any, labels: torch.Tensor, num_items_in_batch: Any = None) -> torch.Tensor:  # noqa: ARG001
    return functional.cross_entropy(outputs.logits, labels)
