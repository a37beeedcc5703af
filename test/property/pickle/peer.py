"""Loads, describes, makes and dumps values for python.test.ts: one request and one answer at a time, each after its length.

Requests: E protocol pickler pickle   loads the pickle; answers with its description and another pickle of it
          M protocol pickler seed     makes a random value; answers the same
The protocol is a digit; the pickler is c (in C) or p (in Python). An answer is JSON: {"text", "pickle"} or {"error"}.
"""

import base64
import datetime
import io
import json
import pickle
import random
import struct
import sys


def zone_text(zone):
    if zone is None:
        return ""
    args = zone.__reduce__()[1]
    return "z%s,%s" % (describe(args[0], {}), args[1].encode("utf-8", "surrogatepass").hex() if len(args) > 1 else "-")


def clock_text(value):
    return "%d:%d:%d.%d/%d%s" % (value.hour, value.minute, value.second, value.microsecond, value.fold, zone_text(value.tzinfo))


def describe(value, ids):
    """The type and content of everything, and which mutable objects are the same one."""
    kind = type(value)
    if value is None or kind is bool:
        return str(value)
    if kind is int:
        return "i%x" % value
    if kind is float:
        return "fnan" if value != value else "f" + struct.pack(">d", value).hex()
    if kind is str:
        return "s" + value.encode("utf-8", "surrogatepass").hex()
    if kind is bytes:
        return "b" + value.hex()
    if kind is tuple:
        return "(%s)" % ",".join(describe(item, ids) for item in value)
    if kind is frozenset:
        return "F{%s}" % ",".join(sorted(describe(item, ids) for item in value))
    if kind is datetime.datetime:
        return "T%d-%d-%d %s" % (value.year, value.month, value.day, clock_text(value))
    if kind is datetime.date:
        return "d%d-%d-%d" % (value.year, value.month, value.day)
    if kind is datetime.time:
        return "t" + clock_text(value)
    if kind is datetime.timedelta:
        return "D%d,%d,%d" % (value.days, value.seconds, value.microseconds)
    if kind is datetime.timezone:
        return zone_text(value)
    if id(value) in ids:
        return "#%d" % ids[id(value)]
    ids[id(value)] = len(ids)
    if kind is bytearray:
        return "B" + bytes(value).hex()
    if kind is list:
        return "[%s]" % ",".join(describe(item, ids) for item in value)
    if kind is set:
        return "S{%s}" % ",".join(sorted(describe(item, ids) for item in value))
    if kind is dict:
        entries = sorted(((describe(key, {}), value) for key, value in value.items()), key=lambda entry: entry[0])
        return "{%s}" % ",".join(key + ":" + describe(value, ids) for key, value in entries)
    raise TypeError("not plain data: %r" % kind)


class Maker:
    """Random plain data, with shared parts and cycles."""

    def __init__(self, seed, folds):
        self.random = random.Random(seed)
        self.folds = folds
        self.pool = []

    def make(self):
        value = self.value(4)
        for _ in range(self.random.randrange(4)):
            self.link()
        return value

    def link(self):
        into = [item for item in self.pool if type(item) in (list, dict)]
        if into:
            target = self.random.choice(into)
            if type(target) is list:
                target.append(self.random.choice(self.pool))
            else:
                target[self.key(1)] = self.random.choice(self.pool)

    def value(self, depth):
        if self.pool and self.random.random() < 0.1:
            return self.random.choice(self.pool)
        if depth == 0 or self.random.random() < 0.3:
            return bytearray(self.bytes()) if self.random.random() < 0.05 else self.simple()
        made = self.random.choice([self.list, self.dict, self.text_dict, self.tuple, self.set, self.key])(depth - 1)
        self.pool.append(made)
        return made

    def count(self):
        return self.random.choice([0, 1, 2, 3, 3, 4, 7])

    def list(self, depth):
        return [self.value(depth) for _ in range(self.count())]

    def tuple(self, depth):
        return tuple(self.list(depth))

    def dict(self, depth):
        return {self.key(depth): self.value(depth) for _ in range(self.count())}

    def text_dict(self, depth):
        return {self.text(): self.value(depth) for _ in range(self.count())}

    def set(self, depth):
        return {self.key(depth) for _ in range(self.count())}

    def key(self, depth):
        if depth > 0 and self.random.random() < 0.3:
            parts = [self.key(depth - 1) for _ in range(self.count())]
            return self.random.choice([tuple, frozenset])(parts)
        return self.simple()

    def simple(self):
        kinds = [self.integer, self.integer, self.float, self.text, self.text, self.bytes, self.moment]
        return self.random.choice([lambda: self.random.choice([None, True, False])] + kinds)()

    def integer(self):
        return self.random.choice([-1, 1]) * (self.random.getrandbits(self.random.choice([1, 2, 8, 16, 31, 32, 53, 54, 64, 200, 2100])) + self.random.randrange(2))

    def float(self):
        bits = struct.unpack(">d", struct.pack(">Q", self.random.getrandbits(64)))[0]
        return self.random.choice([bits, self.random.random(), 0.0, -0.0, 1.0, 2.0**53, 1e300, float("inf"), -float("inf"), float("nan")])

    def text(self):
        letters = ["a", "b", "\\", "u0041", "\n", "\r", "\x00", "\x1a", "\u00e9", "\u20ac", "\U0001f600", "\ud83d", "\ude00", "__proto__", "7", "long enough"]
        text = "".join(self.random.choice(letters) for _ in range(self.random.choice([0, 1, 2, 3, 90])))
        # JavaScript has no two surrogates beside each other that are not one character.
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")

    def bytes(self):
        return bytes(self.random.getrandbits(8) for _ in range(self.random.choice([0, 1, 3, 300])))

    def zone(self):
        micros = self.random.choice([0, 3600 * 10**6, self.random.randrange(-86399 * 10**6, 86399 * 10**6)])
        offset = datetime.timedelta(microseconds=micros)
        return self.random.choice([None, datetime.timezone(offset), datetime.timezone(offset, self.text())])

    def moment(self):
        fold = self.random.randrange(2) if self.folds else 0
        naive = datetime.datetime(1, 1, 1) + datetime.timedelta(microseconds=self.random.randrange(9998 * 365 * 86400 * 10**6))
        moment = naive.replace(fold=fold, tzinfo=self.zone())
        span = datetime.timedelta(self.random.randrange(-999999999, 999999999), 0, self.random.randrange(86400 * 10**6))
        return self.random.choice([moment, moment.date(), moment.timetz(), span, moment.tzinfo or span])


def answer(request):
    kind, protocol, pickler, rest = request[:1], int(request[1:2]), request[2:3], request[3:]
    value = pickle.loads(rest) if kind == b"E" else Maker(rest.decode(), protocol >= 4).make()
    file = io.BytesIO()
    (pickle.Pickler if pickler == b"c" else pickle._Pickler)(file, protocol).dump(value)
    return {"text": describe(value, {}), "pickle": base64.b64encode(file.getvalue()).decode()}


while True:
    head = sys.stdin.buffer.read(4)
    if len(head) < 4:
        break
    try:
        reply = answer(sys.stdin.buffer.read(struct.unpack(">I", head)[0]))
    except Exception as error:
        reply = {"error": repr(error)}
    body = json.dumps(reply).encode()
    sys.stdout.buffer.write(struct.pack(">I", len(body)) + body)
    sys.stdout.buffer.flush()
