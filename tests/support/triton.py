import sys, numpy as np, tritonclient.http as h
c = h.InferenceServerClient(sys.argv[1])
assert c.is_server_live() and c.is_server_ready() and c.is_model_ready(sys.argv[2])
m = c.get_model_metadata(sys.argv[2])
assert m["name"] == sys.argv[2] and m["inputs"][0]["name"] == "amount"
def column(name, kind, values):
    i = h.InferInput(name, [len(values)], kind)
    i.set_data_from_numpy(np.array(values, dtype=object if kind == "BYTES" else np.int64), binary_data=False)
    return i
r = c.infer(sys.argv[2], [column("card", "BYTES", [b"a", b"b"]), column("amount", "INT64", [100, 5000])],
            outputs=[h.InferRequestedOutput(n, binary_data=False) for n in ("probability", "score", "level")], request_id="7")
p = r.as_numpy("probability")
assert p.shape == (2,) and (p >= 0).all() and (p <= 1).all() and r.get_response()["id"] == "7", r.get_response()
print("probabilities", p, r.as_numpy("level"))
