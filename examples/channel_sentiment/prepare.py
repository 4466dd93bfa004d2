"""Prepares the example: texts rated by humans, split once; the teacher, fine-tuned once; a TF-IDF baseline beside it.

    python examples/channel_sentiment/prepare.py

Everything lands in examples/channel_sentiment/build/. What is already there is not made again.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import pandas as pd
from rich.console import Console

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import packages  # noqa: E402
import ratings  # noqa: E402

HELD_OUT_ROWS, LABELLED_ROWS, SEED = 8000, 8000, 1
console = Console()


def prepare_tables(build: Path, cache: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """train.parquet, held_out.parquet and card.json in ``build``."""
    train_path, held_out_path = build / "train.parquet", build / "held_out.parquet"
    if train_path.is_file() and held_out_path.is_file():
        console.print(f"data: already in {build}")
        return pd.read_parquet(train_path), pd.read_parquet(held_out_path)
    rows = ratings.describe(ratings.read_ratings(packages.download(ratings.PACKAGE, cache)))
    train, held_out = ratings.split(rows, held_out_rows=HELD_OUT_ROWS, labelled_rows=LABELLED_ROWS, seed=SEED)
    write_table(train, train_path)
    write_table(held_out, held_out_path)
    card = {
        "source": ratings.PACKAGE.requirement,
        "sha256": ratings.PACKAGE.sha256,
        "seed": SEED,
        "unique_texts": len(rows),
        "by_channel": rows["channel"].value_counts().to_dict(),
        "by_label": rows["label"].value_counts().to_dict(),
        "train_labelled": LABELLED_ROWS,
        "train_unlabelled": len(train) - LABELLED_ROWS,
        "held_out": len(held_out),
    }
    write_text(json.dumps(card, indent=2) + "\n", build / "card.json")
    console.print(f"data: {len(train):,} training rows, {len(held_out):,} held-out rows in {build}")
    return train, held_out


def prepare_teacher(build: Path, cache: Path, train: pd.DataFrame) -> Path:
    """The fine-tuned teacher's folder."""
    folder = build / "teacher"
    if folder.is_dir():
        console.print(f"teacher: already in {folder}")
        return folder
    import minilm

    from evalkit.students.schedule import Schedule

    labelled = train[train["label"].notna()]
    minilm.fine_tune(
        minilm.encoder_folder(cache),
        labelled["text"].tolist(),
        labelled["label"].tolist(),
        ratings.LABELS,
        Schedule(epochs=1, learning_rate=2e-4, batch_rows=32, max_length=64, seed=SEED),
        folder,
    )
    return folder


def measure_baseline(build: Path, train: pd.DataFrame, held_out: pd.DataFrame) -> dict[str, float]:
    """Accuracy of TF-IDF + logistic regression on the held-out set, overall and by channel."""
    path = build / "tfidf.json"
    if path.is_file():
        return dict(json.loads(path.read_text()))
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    labelled = train[train["label"].notna()]
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=3.0, max_iter=500)
    )
    model.fit(labelled["text"], labelled["label"])
    right = pd.Series(model.predict(held_out["text"]) == held_out["label"].to_numpy())
    scores = {"all": float(right.mean()), **right.groupby(held_out["channel"]).mean().to_dict()}
    write_text(json.dumps(scores, indent=2) + "\n", path)
    return scores


def write_table(rows: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}.part")
    rows.to_parquet(unfinished, index=False)
    unfinished.replace(path)


def write_text(text: str, path: Path) -> None:
    unfinished = path.with_suffix(f".{os.getpid()}.part")
    unfinished.write_text(text)
    unfinished.replace(path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=HERE / "build", help="where everything lands")
    build = parser.parse_args().build
    try:
        train, held_out = prepare_tables(build, build / "sources")
        prepare_teacher(build, build / "sources", train)
        scores = measure_baseline(build, train, held_out)
    except packages.SourceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    parts = ", ".join(f"{name} {score:.3f}" for name, score in scores.items())
    console.print(f"TF-IDF + logistic regression on the held-out set: {parts}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
