"""MLServer's runtime for an ONNX file: it has none of its own, so this is the custom one that its documentation describes.

Runs in MLServer's environment, named in the model's `model-settings.json`.
"""

import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class OnnxRuntime(MLModel):
    """Runs the file that `parameters.uri` names, with the session options of our own scorer: one thread each."""

    async def load(self) -> bool:
        """Open the file. Raises what onnxruntime raises."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(self.settings.parameters.uri, options)
        self._input = self._session.get_inputs()[0].name
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """`probabilities`, shape (rows, classes), of the one input, shape (rows, features)."""
        vectors = NumpyCodec.decode_input(payload.inputs[0])
        (probabilities,) = self._session.run(["probabilities"], {self._input: vectors})
        output = NumpyCodec.encode_output("probabilities", probabilities)
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=[output])
