"""From the raters' files to labelled texts, split once by seed."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
from packages import Package

from evalkit.data.leakage import normalised

PACKAGE = Package(
    requirement="vaderSentiment==3.2.1",
    form="--no-binary",
    file_name="vaderSentiment-3.2.1.tar.gz",
    sha256="5dce530a78315563f8b3cd01033bbdd3bf4985fabf359ca68d4167728081c803",
)
CHANNELS = {
    "movie": "movieReviewSnippets",
    "editorial": "nytEditorialSnippets",
    "product": "amazonReviewSnippets",
    "tweet": "tweets",
}
LABELS = ("negative", "neutral", "positive")
NEUTRAL_WITHIN = 0.5
LENGTHS = ("short", "medium", "long")
LENGTH_EDGES = (10, 20)  # words: short ≤ 10 < medium ≤ 20 < long


def read_ratings(source: Path) -> pd.DataFrame:
    """One row a unique text: ``channel``, ``rating`` (mean of the raters, −4 … 4), ``text``."""
    with tarfile.open(source) as outer:
        inner = next(name for name in outer.getnames() if name.endswith("hutto_ICWSM_2014.tar.gz"))
        data = outer.extractfile(inner)
        assert data is not None
        with tarfile.open(fileobj=io.BytesIO(data.read())) as archive:
            tables = [_channel(archive, channel, stem) for channel, stem in CHANNELS.items()]
    rows = pd.concat(tables, ignore_index=True)
    return rows.drop_duplicates("text", ignore_index=True)


def _channel(archive: tarfile.TarFile, channel: str, stem: str) -> pd.DataFrame:
    file = archive.extractfile(f"hutto_ICWSM_2014/{stem}_GroundTruth.txt")
    assert file is not None
    lines = [line.split("\t", 2) for line in file.read().decode("utf-8").splitlines() if line.strip()]
    return pd.DataFrame(
        {
            "channel": channel,
            "rating": [float(rating) for _, rating, _ in lines],
            "text": [text.strip() for _, _, text in lines],
        }
    )


def describe(rows: pd.DataFrame) -> pd.DataFrame:
    """Adds ``id`` (from the text itself), ``label`` and ``length`` bucket."""
    words = rows["text"].str.split().str.len()
    described = rows.assign(
        id=[hashlib.sha256(text.encode()).hexdigest()[:16] for text in rows["text"]],
        label=np.select(
            [rows["rating"] < -NEUTRAL_WITHIN, rows["rating"] > NEUTRAL_WITHIN],
            ["negative", "positive"],
            "neutral",
        ),
        length=np.select([words <= LENGTH_EDGES[0], words <= LENGTH_EDGES[1]], ["short", "medium"], "long"),
    )
    return described[["id", "text", "label", "channel", "length", "rating"]]


def split(
    rows: pd.DataFrame, *, held_out_rows: int, labelled_rows: int, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(train, held_out), drawn once.

    A training text that is a held-out one but for case, width or spaces is left out: a few snippets stand
    in the source twice, so written. Training rows beyond ``labelled_rows`` lose label and rating.
    """
    order = np.random.default_rng(seed).permutation(len(rows))
    held_out = rows.iloc[order[:held_out_rows]].reset_index(drop=True)
    train = rows.iloc[order[held_out_rows:]]
    also_held_out = train["text"].map(normalised).isin(set(held_out["text"].map(normalised)))
    train = train[~also_held_out].reset_index(drop=True)
    unlabelled = train.index >= labelled_rows
    train = train.assign(
        label=train["label"].where(~unlabelled, None), rating=train["rating"].where(~unlabelled, np.nan)
    )
    return train, held_out
