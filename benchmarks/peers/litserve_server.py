"""The classifier behind LitServe: python litserve_server.py MODEL_FOLDER PORT"""

import sys
from pathlib import Path
from typing import Any

import litserve
import numpy as np
from classifier import Classifier

# LitServe's default: the batch is what has queued. Half a millisecond, and its fast_queue, were no faster here.
BATCH_TIMEOUT_S = 0.0


class TextApi(litserve.LitAPI):
    """One text a request; LitServe gathers the batch."""

    def setup(self, device: str) -> None:
        del device
        self.classifier = Classifier(Path(sys.argv[1]))

    def decode_request(self, request: dict[str, Any]) -> str:
        return request["text"]

    def batch(self, inputs: list[str]) -> list[str]:
        return inputs

    def predict(self, x: list[str]) -> np.ndarray:
        return self.classifier.probabilities(x)

    def unbatch(self, output: np.ndarray) -> list[list[float]]:
        return output.tolist()

    def encode_response(self, output: list[float]) -> dict[str, list[float]]:
        return {"probabilities": output}


if __name__ == "__main__":
    server = litserve.LitServer(
        TextApi(max_batch_size=16, batch_timeout=BATCH_TIMEOUT_S), accelerator="cpu", devices=1, workers_per_device=1
    )
    # uvicorn takes uvloop and httptools, which are installed
    server.run(
        host="127.0.0.1", port=int(sys.argv[2]), num_api_servers=1, generate_client_file=False, log_level="warning"
    )
