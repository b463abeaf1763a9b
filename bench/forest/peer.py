"""scikit-learn's IsolationForest and ONNX Runtime on the rows given: `peer.py rows.f32 features out.json`.

One thread each. ONNX Runtime scores scikit-learn's forest, as skl2onnx converts it and as one TreeEnsembleRegressor whose
trees give path lengths: the quickest graph there is for it.
"""

import json
import os
import sys
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"
import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from sklearn.ensemble import IsolationForest
from sklearn.ensemble._iforest import _average_path_length

ROUNDS = 5


def regressor(forest, features):
    node = {k: [] for k in ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids")}
    leaf = {k: [] for k in ("treeids", "nodeids", "ids", "weights")}
    for t, estimator in enumerate(forest.estimators_):
        tree = estimator.tree_
        depth = np.zeros(tree.node_count)
        lengths = _average_path_length(tree.n_node_samples)
        for i in range(tree.node_count):
            split = tree.children_left[i] >= 0
            for key, value in (
                ("treeids", t), ("nodeids", i), ("featureids", max(0, tree.feature[i])),
                ("values", float(tree.threshold[i]) if split else 0.0), ("modes", "BRANCH_LEQ" if split else "LEAF"),
                ("truenodeids", max(0, tree.children_left[i])), ("falsenodeids", max(0, tree.children_right[i])),
            ):
                node[key].append(int(value) if not isinstance(value, (str, float)) else value)
            if split:
                depth[tree.children_left[i]] = depth[tree.children_right[i]] = depth[i] + 1
            else:
                for key, value in (("treeids", t), ("nodeids", i), ("ids", 0), ("weights", float(depth[i] + lengths[i]))):
                    leaf[key].append(value)
    attributes = {f"nodes_{k}": v for k, v in node.items()} | {f"target_{k}": v for k, v in leaf.items()}
    graph = helper.make_graph(
        [helper.make_node("TreeEnsembleRegressor", ["X"], ["Y"], domain="ai.onnx.ml", n_targets=1, **attributes)],
        "forest",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, features])],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, [None, 1])],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def session(model):
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def per_row_ns(call, rows, seconds):
    """Least of some rounds' CPU time a row, and the median wall time of a call."""
    call()
    best, walls = float("inf"), []
    for _ in range(ROUNDS):
        start, done = time.process_time(), 0
        until = time.perf_counter() + seconds / ROUNDS
        while time.perf_counter() < until:
            wall = time.perf_counter()
            call()
            walls.append(time.perf_counter() - wall)
            done += 1
        best = min(best, (time.process_time() - start) / done)
    return {"cpu_ns": best / rows * 1e9, "p50_ns": sorted(walls)[len(walls) // 2] / rows * 1e9}


def main(path, features, out):
    rows = np.fromfile(path, np.float32).reshape(-1, features)
    start = time.process_time()
    forest = IsolationForest(n_estimators=100, max_samples=256, random_state=1, n_jobs=1).fit(rows)
    fit_ms = (time.process_time() - start) * 1e3
    plain = session(regressor(forest, features))
    converted = session(to_onnx(forest, rows[:1], target_opset={"": 17, "ai.onnx.ml": 3}).SerializeToString())
    name = converted.get_inputs()[0].name
    answer = {"fit_ms": fit_ms, "rows": {}}
    for count, seconds in ((1, 1.5), (64, 1.5), (len(rows), 3)):
        batch = np.ascontiguousarray(rows[:count])
        answer["rows"][count] = {
            "scikit-learn": per_row_ns(lambda: forest.score_samples(batch), count, seconds),
            "ONNX Runtime, skl2onnx": per_row_ns(lambda: converted.run(None, {name: batch}), count, seconds),
            "ONNX Runtime": per_row_ns(lambda: plain.run(None, {"X": batch}), count, seconds),
        }
    with open(out, "w") as file:
        json.dump(answer, file)


main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
