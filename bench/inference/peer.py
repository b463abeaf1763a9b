"""The artefact of the FastAPI peer from a forest that we exported: `peer.py forest.onnx peers-folder out.joblib`.

The peer runs one TreeEnsembleRegressor that gives path lengths and does the rest in NumPy; ours does all of it in the graph.
So its graph is our regressor alone, summed over the trees as the peer's own export is: the same trees, nothing more to run.
"""

import sys
from types import SimpleNamespace

import joblib
import numpy as np
import onnx
from onnx import TensorProto, helper

ours, folder, out = sys.argv[1:]
sys.path.insert(0, folder)
import detect

model = onnx.load(ours)
trees = next(node for node in model.graph.node if node.op_type == "TreeEnsembleRegressor")
attributes = {a.name: helper.get_attribute_value(a) for a in trees.attribute}
attributes["aggregate_function"] = b"SUM"
columns = model.graph.input[0].type.tensor_type.shape.dim[1].dim_value
count = len(set(attributes["nodes_treeids"]))
scale = next(t for t in model.graph.initializer if t.name == "scale")
c = -1 / float(onnx.numpy_helper.to_array(scale).reshape(-1)[0])
threshold = float(next(p.value for p in model.metadata_props if p.key == "threshold"))
graph = helper.make_graph(
    [helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", **attributes)],
    "iforest",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, columns])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])],
)
opsets = [helper.make_opsetid("ai.onnx.ml", 3), helper.make_opsetid("", 17)]
graph_bytes = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
art = {"forest": SimpleNamespace(estimators_=[None] * count), "onnx": graph_bytes, "c": c, "limit": threshold}
assert detect.D == columns
detect.Onnx(art).scores(np.zeros((1, columns)))
joblib.dump(art, out)
