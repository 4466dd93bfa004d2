"""The teacher, the student and TF-IDF side by side, recomputed from the run's predictions with pandas alone.

    python examples/channel_sentiment/compare.py [RUN]

RUN is the newest finished run of this example when not given. Exits 1 where the teacher does
not beat TF-IDF + logistic regression: it would then be no teacher.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd

HERE = Path(__file__).resolve().parent
BASELINE = HERE / "build" / "tfidf.json"


def accuracies(predictions: pd.DataFrame, model: str) -> dict[str, float]:
    """Accuracy over all rows and by channel."""
    right = predictions[model] == predictions["row_label"]
    return {"all": float(right.mean()), **right.groupby(predictions["channel"]).mean().to_dict()}


def newest_run() -> Path | None:
    """The run that was decided last."""
    records = sorted((HERE / "runs").glob("*/record.json"), key=lambda path: path.stat().st_mtime)
    return records[-1].parent if records else None


def main() -> int:
    run = Path(sys.argv[1]) if len(sys.argv) > 1 else newest_run()
    if run is None or not (run / "predictions.parquet").is_file():
        print("error: no finished run; run `evalkit check` first, or give its folder", file=sys.stderr)
        return 2
    predictions = pd.read_parquet(run / "predictions.parquet")
    table = pd.DataFrame(
        {
            "TF-IDF + logistic regression": json.loads(BASELINE.read_text()),
            "student": accuracies(predictions, "student"),
            "teacher": accuracies(predictions, "teacher"),
        }
    ).T
    print(f"accuracy on {len(predictions):,} held-out rows\n{table.to_string(float_format='{:.3f}'.format)}")
    beaten = table.loc["teacher", "all"] > table.loc["TF-IDF + logistic regression", "all"]
    print(f"the teacher {'beats' if beaten else 'DOES NOT beat'} TF-IDF + logistic regression")
    return 0 if beaten else 1


if __name__ == "__main__":
    sys.exit(main())
