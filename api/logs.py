"""The service's log on stderr: a line of text for people, or a JSON document a line for programs."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Literal

import orjson

from api.middleware import RequestIdFilter

LogFormat = Literal["text", "json"]
TEXT = "%(asctime)s %(levelname)s %(request_id)s %(message)s"


class JsonLines(logging.Formatter):
    """One JSON object a record: time (UTC), level, logger, message, request_id, what the request was, and a traceback.

    Neither addresses nor query strings are in it: they may tell who asked, and the secret of a dossier.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        document = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": getattr(record, "request_id", "-"),
            **getattr(record, "request", {}),
        }
        if record.exc_info:
            document["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(document, default=str).decode()


def log_to_stderr(form: LogFormat = "text") -> None:
    """Write the log of this process to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if form == "json" else logging.Formatter(TEXT))
    handler.addFilter(RequestIdFilter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
