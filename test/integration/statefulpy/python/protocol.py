"""The protocol of the Python library statefulpy, written down again for tests: keys, bytes, locks.

Arguments: url serializer [lock_timeout_ms]. Then one JSON order per line, one JSON answer per line:
{"n": 1, "op": "acquire", "args": ["id", 10.0]}  ->  {"n": 1, "ok": true}  or  {"n": 1, "error": "ValueError: ..."}
Bytes are exchanged in base64; values as Python expressions and as repr().
"""
import base64
import datetime  # for eval
import json
import pickle
import random
import sys
import time

import redis

url, serializer = sys.argv[1:3]
lock_ms = int(sys.argv[3]) if len(sys.argv) > 3 else 30000
client = redis.from_url(url)
tokens = {}

RELEASE = """
if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end
return 0
"""


def dumps(value):
    return pickle.dumps(value) if serializer == "pickle" else json.dumps(value).encode("utf-8")


def loads(data):
    return pickle.loads(data) if serializer == "pickle" else json.loads(data.decode("utf-8"))


def load(id):
    data = client.get("statefulpy:state:" + id)
    return None if data is None else loads(data)


def save(id, value):
    return bool(client.set("statefulpy:state:" + id, dumps(value)))


def acquire(id, timeout=10.0):
    token = str(time.time())
    start = time.time()
    while time.time() - start < timeout:
        if client.set("statefulpy:lock:" + id, token, nx=True, px=lock_ms):
            tokens[id] = token
            return True
        time.sleep(0.1)
    return False


def release(id):
    if id not in tokens:
        return False
    return client.eval(RELEASE, 1, "statefulpy:lock:" + id, tokens.pop(id)) == 1


def count(id, times, name):
    """Increments a counter under its lock, and leaves a trace of each turn. Answers the longest wait in seconds."""
    longest = 0.0
    for _ in range(times):
        began = time.time()
        if not acquire(id, 60.0):
            raise RuntimeError("no lock")
        longest = max(longest, time.time() - began)
        client.rpush("statefulpy:trace", "+" + name)
        state = load(id) or {"count": 0}
        time.sleep(random.random() * 0.004)
        state["count"] += 1
        save(id, state)
        client.rpush("statefulpy:trace", "-" + name)
        release(id)
    return longest


OPS = {
    "load": lambda id: repr(load(id)),
    "save": lambda id, expression: save(id, eval(expression)),
    "bytes": lambda expression: base64.b64encode(dumps(eval(expression))).decode(),
    "read": lambda data: repr(loads(base64.b64decode(data))),
    "acquire": acquire,
    "release": release,
    "token": lambda id: tokens.get(id),
    "count": count,
}

for line in sys.stdin:
    order = json.loads(line)
    try:
        answer = {"ok": OPS[order["op"]](*order["args"])}
    except Exception as error:
        answer = {"error": type(error).__name__ + ": " + str(error)}
    print(json.dumps({"n": order["n"], **answer}), flush=True)
