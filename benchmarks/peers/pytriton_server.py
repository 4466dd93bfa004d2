"""The classifier behind PyTriton, that is Triton's own server: python pytriton_server.py MODEL_FOLDER PORT GRPC_PORT"""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

import numpy as np
from classifier import Classifier
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig


def main() -> None:
    folder, port, grpc_port = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    classifier = Classifier(folder)
    # Triton's Python backend loads libpython by name: it must be this interpreter's, not the system's
    os.environ["LD_LIBRARY_PATH"] = sysconfig.get_config_var("LIBDIR")

    @batch
    def infer(text: np.ndarray) -> dict[str, np.ndarray]:
        return {"probabilities": classifier.probabilities([row.decode() for row in text[:, 0]])}

    config = TritonConfig(
        http_address="127.0.0.1", http_port=port, grpc_address="127.0.0.1", grpc_port=grpc_port,
        allow_metrics=False,
    )  # fmt: skip
    with Triton(config=config) as triton:
        triton.bind(
            model_name="text",
            infer_func=infer,
            inputs=[Tensor(name="text", dtype=bytes, shape=(1,))],
            outputs=[Tensor(name="probabilities", dtype=np.float32, shape=(-1,))],
            config=ModelConfig(max_batch_size=16, batcher=DynamicBatcher(max_queue_delay_microseconds=0)),
        )
        triton.serve()


if __name__ == "__main__":
    main()
