"""What a team would otherwise run online: FastAPI on uvicorn (uvloop, httptools), one process, a GRU cell of h 256 in ONNX Runtime
(int8, one thread), the card's state in a dict. Answers what `florin load` asks: GET /v1/schema, POST /v1/evaluations.
No fold, no trees, no second stream, no reasons, no journal: less than what Florin's side does.

serve_onnx.py PORT"""
import os
import sys
import tempfile
import zlib

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from onnxruntime.quantization import QuantType, quantize_dynamic

from score_onnx import CATEGORIES, H, NUMBERS, VOCABULARY, graph, session

folder = tempfile.TemporaryDirectory()
graph(folder.name + "/fp32.onnx")
quantize_dynamic(folder.name + "/fp32.onnx", folder.name + "/int8.onnx", weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul"])
network = session(folder.name + "/int8.onnx")
states = {}
fields = ("category", "country", "entry_mode", "merchant")
app = FastAPI()


@app.get("/v1/schema")
async def schema():
    return {"entities": ["card", "merchant"], "categories": ["category", "country", "entry_mode"], "numbers": [], "marks": []}


@app.post("/v1/evaluations")
async def evaluate(request: Request):
    body = await request.json()
    payment, card = body["payment"], body["card"]["id"]
    texts = [payment.get(f, "") for f in fields[:3]] + [body["merchant"]["id"], card]
    category = np.array([[i * VOCABULARY + zlib.crc32(t.encode()) % VOCABULARY for i, t in enumerate(texts)]], np.int64)
    number = np.zeros((1, NUMBERS), np.float32)
    number[0, 0] = np.log1p(payment["amount"])
    before = states.get(card)
    h, score = network.run(None, {"category": category, "number": number, "h": before if before is not None else np.zeros((1, H), np.float32)})
    states[card] = h
    p = float(score[0, 0])
    return JSONResponse({"id": payment["id"], "probability": p, "score": int(p * 100), "action": "block" if p > 0.9 else "allow"})


if __name__ == "__main__":
    assert len(fields) + 1 == CATEGORIES
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), loop="uvloop", http="httptools", access_log=False, log_level="warning")
