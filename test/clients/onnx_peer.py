"""scikit-learn, skl2onnx and onnxruntime as they are: `onnx_peer.py score MODEL ROWS FEATURES OUT` or `convert FOLDER`."""

import json
import sys

import numpy as np
import onnx
import onnxruntime as ort


def run(model, rows):
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: rows})


def score(model, rows, features, out):
    onnx.checker.check_model(model, full_check=True)
    run(model, np.fromfile(rows, np.float32).reshape(-1, int(features)))[0].astype(np.float64).tofile(out)


def convert(folder):
    from skl2onnx import to_onnx
    from sklearn.ensemble import IsolationForest

    random = np.random.default_rng(1)
    cases = []
    for i, (count, features, options, graph) in enumerate([
        (4000, 8, {"n_estimators": 100, "max_samples": 256}, {}),
        (600, 3, {"n_estimators": 40, "max_samples": 64, "contamination": 0.07}, {"score_samples": True}),
        (300, 5, {"n_estimators": 1}, {}),
        (900, 2, {"n_estimators": 20, "max_samples": 900, "bootstrap": True}, {}),
    ]):
        rows = (random.standard_t(3, (count, features)) * 10.0 ** random.integers(-3, 4, features)).astype(np.float32)
        if features == 3:
            rows = np.round(rows, 1)
        forest = IsolationForest(random_state=i, **options).fit(rows)
        model = to_onnx(forest, rows[:1], target_opset={"": 17, "ai.onnx.ml": 3}, options={id(forest): graph})
        with open(f"{folder}/{i}.onnx", "wb") as file:
            file.write(model.SerializeToString())
        # Beyond the training rows too, and on the thresholds themselves, where float64 and float32 could part.
        thresholds = np.concatenate([t.tree_.threshold for t in forest.estimators_]).astype(np.float32)
        probe = np.concatenate([rows, rows * 7, random.choice(thresholds, (400, features))]).astype(np.float32)
        decisions = run(model.SerializeToString(), probe)[1].reshape(-1)
        probe.tofile(f"{folder}/{i}.f32")
        (forest.offset_ * -1.0 - decisions.astype(np.float64)).tofile(f"{folder}/{i}.f64")
        cases.append({"features": features, "trees": len(forest.estimators_), "offset": float(forest.offset_)})
    print(json.dumps(cases))


{"score": score, "convert": convert}[sys.argv[1]](*sys.argv[2:])
