"""tritonclient as its users use it: `inference_peer.py URL` checks a server's health, metadata, inference and errors."""

import json
import sys

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException


def rows(values, datatype, binary):
    tensor = triton.InferInput("rows", list(values.shape), datatype)
    tensor.set_data_from_numpy(values, binary_data=binary)
    return tensor


def refused(client, *args, **options):
    try:
        client.infer(*args, **options)
    except InferenceServerException as error:
        return {"status": error.status(), "message": error.message()}
    return None


client = triton.InferenceServerClient(sys.argv[1])
probe = np.random.default_rng(1).random((64, 3))
double = [rows(probe, "FP64", True)]
single = [rows(probe.astype(np.float32), "FP32", False)]
binary = client.infer("small", double)
as_json = client.infer(
    "small", single, model_version="1", request_id="seven",
    outputs=[triton.InferRequestedOutput("forest", binary_data=False), triton.InferRequestedOutput("anomaly")])
width = client.get_model_metadata("active")["inputs"][0]["shape"][1]
detector = client.infer("active", [rows(np.ones((2, width)), "FP64", True)])
asynchronous = client.async_infer("small", double).get_result()
print(json.dumps({
    "live": client.is_server_live(),
    "ready": client.is_server_ready(),
    "model_ready": [client.is_model_ready("small"), client.is_model_ready("small", "1"), client.is_model_ready("none")],
    "server": client.get_server_metadata(),
    "metadata": client.get_model_metadata("small", "1"),
    "probe": probe.reshape(-1).tolist(),
    "binary": binary.as_numpy("forest").tolist(),
    "json": as_json.as_numpy("forest").tolist(),
    "anomaly": as_json.as_numpy("anomaly").tolist(),
    "response": {key: as_json.get_response()[key] for key in ("id", "model_name", "model_version")},
    "detector": {name: detector.as_numpy(name).tolist() for name in ("forest", "score", "return_period_s")},
    "asynchronous": asynchronous.as_numpy("forest").tolist(),
    "refused": [
        refused(client, "none", double),
        refused(client, "small", double, model_version="9"),
        refused(client, "small", [rows(probe[:, :2].copy(), "FP64", True)]),
        refused(client, "small", [rows(np.full((1, 3), np.nan), "FP64", True)]),
        refused(client, "small", double, outputs=[triton.InferRequestedOutput("colour")]),
    ],
}))
