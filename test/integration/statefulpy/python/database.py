"""What the Python library statefulpy does with its SQLite file, written down again for tests.

Arguments: path serializer op [id [expression]]; prints the answer.
"""
import json
import pickle
import sqlite3
import sys

path, serializer, op = sys.argv[1:4]
db = sqlite3.connect(path)
db.execute("PRAGMA journal_mode=WAL")
db.execute(
    "CREATE TABLE IF NOT EXISTS stateful_state "
    "(fn_id TEXT PRIMARY KEY, state BLOB, updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)"
)
db.execute(
    "CREATE TABLE IF NOT EXISTS stateful_locks (fn_id TEXT PRIMARY KEY, locked_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)"
)
if op == "save":
    value = eval(sys.argv[5])
    data = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL) if serializer == "pickle" else json.dumps(value).encode()
    db.execute(
        "INSERT INTO stateful_state (fn_id, state) VALUES (?, ?) ON CONFLICT(fn_id) "
        "DO UPDATE SET state = excluded.state, updated_at = CURRENT_TIMESTAMP",
        (sys.argv[4], data),
    )
    db.commit()
elif op == "load":
    row = db.execute("SELECT state FROM stateful_state WHERE fn_id = ?", (sys.argv[4],)).fetchone()
    print(None if row is None else repr(pickle.loads(row[0]) if serializer == "pickle" else json.loads(row[0].decode())))
elif op == "run":
    db.execute(sys.argv[4])
    db.commit()
