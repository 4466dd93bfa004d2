"""The classifier behind MLServer: python mlserver_server.py MODEL_FOLDER PORT GRPC_PORT MAX_BATCH_TIME_S

Its adaptive batching waits for more requests up to that time, and is off at 0.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import uvloop
from classifier import Classifier
from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.settings import ModelParameters
from mlserver.types import InferenceRequest, InferenceResponse


class TextModel(MLModel):
    """BYTES [rows, 1] in, probabilities FP32 [rows, labels] out."""

    async def load(self) -> bool:
        self.classifier = Classifier(Path(sys.argv[1]))
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        texts = StringCodec.decode_input(payload.inputs[0])
        answer = NumpyCodec.encode_output("probabilities", self.classifier.probabilities(texts))
        return InferenceResponse(model_name=self.name, outputs=[answer])


async def main() -> None:
    server = MLServer(
        Settings(
            debug=False, host="127.0.0.1", http_port=int(sys.argv[2]), grpc_port=int(sys.argv[3]),
            metrics_endpoint=None, parallel_workers=0, gzip_enabled=False, load_models_at_startup=False,
        )
    )  # fmt: skip
    model = ModelSettings(
        name="text", implementation=TextModel, max_batch_size=16, max_batch_time=float(sys.argv[4]),
        parameters=ModelParameters(uri=sys.argv[1]),
    )  # fmt: skip
    await server.start([model])


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(main())
