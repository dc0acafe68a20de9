"""The table that comes out: a line for each exchange, and what went wrong below it."""

import json
import time

from .service import Skip

WIDTHS = (14, 10, 10, 5, 58)
HEADINGS = ("SERVICE", "PORT", "DIRECTION", "AS", "EXCHANGE", "RESULT")


class Row:
    def __init__(self, service, port, direction, user, what, exchange):
        self.service, self.port, self.direction = service, port, direction
        self.user, self.what, self.exchange = user, what, exchange

    def selected(self, words):
        """Whether the words (all of one kind are alternatives) name this row."""
        where = [word for word in words if word in ("in", "out")]
        what = [word for word in words if word not in ("in", "out")]
        text = f"{self.service} {self.port} {self.what}".lower()
        return (not where or self.direction in where) and \
            (not what or any(word.lower() in text for word in what))


class Table:
    def __init__(self, as_json):
        self.as_json = as_json
        self.passed = self.failed = self.skipped = 0
        self.started = time.monotonic()
        if not as_json:
            self._line(HEADINGS)

    def _line(self, columns):
        padded = [f"{column:{width}}" for column, width in zip(columns, WIDTHS)]
        print(" ".join([*padded, columns[-1]]), flush=True)

    def add(self, row, verdict, logs=None):
        """verdict: None (it passed), a Skip, or the text of a failure; logs() what was said."""
        now = time.monotonic()
        seconds, self.started = now - self.started, now
        if verdict is None:
            self.passed += 1
            result = "passed"
        elif isinstance(verdict, Skip):
            self.skipped += 1
            result = f"skipped: {verdict}"
        else:
            self.failed += 1
            result = "FAILED"
        if self.as_json:
            print(json.dumps({"service": row.service, "port": row.port, "direction": row.direction,
                              "as": row.user, "exchange": row.what, "result": result,
                              "seconds": round(seconds, 2),
                              **({"reason": verdict} if result == "FAILED" else {})}), flush=True)
            return
        self._line((row.service, row.port, row.direction, row.user, row.what, result))
        if result == "FAILED":
            text = f"{verdict}\n{logs() if logs else ''}"
            print("        " + text.strip().replace("\n", "\n        "), flush=True)

    def end(self):
        if self.as_json:
            print(json.dumps({"passed": self.passed, "failed": self.failed,
                              "skipped": self.skipped}))
            return
        if self.skipped:
            print(f"{self.skipped} skipped")
        print(f"{self.passed} passed, {self.failed} failed")
