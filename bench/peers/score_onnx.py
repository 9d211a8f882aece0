"""ONNX Runtime's time for one event of a recurrent scorer: embeddings of five categories, numbers, one GRU cell of h 256
with its state in and out, one head; fp32 and dynamically quantised int8, buffers bound (io_binding), one thread.

The graph holds no fold, no second stream, no trees and no table of entities: it is less than what Florin's side does.
Prints "ready VERSION", then reads lines "fp32|int8 BATCH EVENTS" and answers each with "P50 P99", microseconds per event."""
import os
import sys
import tempfile
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

H, D, CATEGORIES, VOCABULARY, NUMBERS = 256, 128, 5, 1024, 32


def graph(path):
    r = np.random.default_rng(1)
    weights, nodes = [], []

    def weight(name, *shape):
        weights.append(numpy_helper.from_array((r.standard_normal(shape) * 0.05).astype(np.float32), name))
        return name

    def constant(name, values):
        weights.append(numpy_helper.from_array(np.asarray(values, np.int64), name))
        return name

    def add(op, inputs, output, **attributes):
        nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    add("Gather", [weight("table", CATEGORIES * VOCABULARY, D), "category"], "looked", axis=0)
    add("ReduceSum", ["looked", constant("fields", [1])], "summed", keepdims=0)
    add("MatMul", ["number", weight("number_w", NUMBERS, D)], "numbers")
    add("Add", ["summed", "numbers"], "event")
    add("MatMul", ["event", weight("wx", D, 3 * H)], "gx0")
    add("Add", ["gx0", weight("bx", 3 * H)], "gx")
    add("MatMul", ["h", weight("wh", H, 3 * H)], "gh0")
    add("Add", ["gh0", weight("bh", 3 * H)], "gh")
    nodes.append(helper.make_node("Split", ["gx"], ["xr", "xz", "xn"], axis=1, num_outputs=3))
    nodes.append(helper.make_node("Split", ["gh"], ["hr", "hz", "hn"], axis=1, num_outputs=3))
    add("Sigmoid", [add("Add", ["xr", "hr"], "r0")], "r")
    add("Sigmoid", [add("Add", ["xz", "hz"], "z0")], "z")
    add("Tanh", [add("Add", ["xn", add("Mul", ["r", "hn"], "rn")], "n0")], "n")
    add("Add", ["n", add("Mul", ["z", add("Sub", ["h", "n"], "d")], "zd")], "h_next")
    add("Sigmoid", [add("MatMul", ["h_next", weight("head", H, 1)], "logit")], "score")
    io = lambda name, kind, *shape: helper.make_tensor_value_info(name, kind, list(shape))
    f, i = TensorProto.FLOAT, TensorProto.INT64
    g = helper.make_graph(nodes, "gru", [io("category", i, "B", CATEGORIES), io("number", f, "B", NUMBERS), io("h", f, "B", H)],
                          [io("h_next", f, "B", H), io("score", f, "B", 1)], weights)
    onnx.save(helper.make_model(g, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)


def session(path):
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def bound(s, batch):
    """Buffers that the session reads and writes in place; h goes round."""
    r = np.random.default_rng(2)
    category = (r.integers(0, VOCABULARY, (batch, CATEGORIES)) + np.arange(CATEGORIES) * VOCABULARY).astype(np.int64)
    arrays = {"category": category, "number": r.standard_normal((batch, NUMBERS)).astype(np.float32),
              "h": np.zeros((batch, H), np.float32)}
    values = {k: ort.OrtValue.ortvalue_from_numpy(v) for k, v in arrays.items()}
    values["h_next"] = ort.OrtValue.ortvalue_from_numpy(np.zeros((batch, H), np.float32))
    values["score"] = ort.OrtValue.ortvalue_from_numpy(np.zeros((batch, 1), np.float32))
    bindings = []
    for state, after in (("h", "h_next"), ("h_next", "h")):
        b = s.io_binding()
        for k in ("category", "number"):
            b.bind_ortvalue_input(k, values[k])
        b.bind_ortvalue_input("h", values[state])
        b.bind_ortvalue_output("h_next", values[after])
        b.bind_ortvalue_output("score", values["score"])
        bindings.append(b)
    return bindings


def main():
    with tempfile.TemporaryDirectory() as folder:
        fp32, int8 = folder + "/fp32.onnx", folder + "/int8.onnx"
        graph(fp32)
        quantize_dynamic(fp32, int8, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul"])
        sessions = {"fp32": session(fp32), "int8": session(int8)}
    print("ready", ort.__version__, flush=True)
    made = {}
    for line in sys.stdin:
        kind, batch, events = line.split()
        batch, calls = int(batch), max(1, int(events) // int(batch))
        s = sessions[kind]
        pair = made.setdefault((kind, batch), bound(s, batch))
        for i in range(50):
            s.run_with_iobinding(pair[i % 2])
        us = np.empty(calls)
        for c in range(calls):
            begin = time.perf_counter_ns()
            s.run_with_iobinding(pair[c % 2])
            us[c] = (time.perf_counter_ns() - begin) / 1e3 / batch
        us.sort()
        print(f"{us[calls // 2]:.2f} {us[calls * 99 // 100]:.2f}", flush=True)


if __name__ == "__main__":
    main()
