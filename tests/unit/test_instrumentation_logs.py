"""Log lines: their keys, and what they say of service, trace and order."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import Any

from instrumentation.logs import JsonLines


def written(message: str, *, service: str | None = None, extra: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a line as a reader of the log gets it."""
    record = logging.getLogger("a.logger").makeRecord(
        "a.logger", logging.WARNING, __file__, 1, message, (), None, extra=extra
    )
    text = JsonLines(service).format(record)
    assert "\n" not in text
    line: dict[str, Any] = json.loads(text)
    return line


def test_a_line_outside_of_any_context_has_the_four_keys_and_no_others() -> None:
    line = written("hello")
    assert list(line) == ["time", "level", "logger", "message"]
    assert (line["level"], line["logger"], line["message"]) == ("WARNING", "a.logger", "hello")
    assert line["time"].endswith("+00:00")


def test_a_line_names_the_service_of_the_process_where_the_context_names_none() -> None:
    assert written("hello", service="shop")["service"] == "shop"


def test_extra_fields_are_on_the_line_whatever_they_are() -> None:
    line = written("hello", extra={"queue": "mes.1", "depth": 3, "tags": {"a"}, "order_id": "4711"})
    assert (line["queue"], line["depth"], line["tags"], line["order_id"]) == ("mes.1", 3, "{'a'}", "4711")


def test_an_extra_field_cannot_pass_for_what_the_line_itself_says() -> None:
    line = written("hello", extra={"level": "DEBUG", "time": "yesterday", "logger": "another"})
    assert (line["level"], line["logger"]) == ("WARNING", "a.logger")
    assert line["time"] != "yesterday"


def test_the_servers_message_with_colour_codes_is_left_out() -> None:
    assert "color_message" not in written("hello", extra={"color_message": "\x1b[1mhello"})


def test_half_a_surrogate_pair_and_a_huge_number_do_not_lose_the_line() -> None:
    assert written("half \ud800", extra={"n": 2**70})["n"] == 2**70


def test_a_process_logs_json_to_standard_error_with_and_without_a_service() -> None:
    for call, service in (("log_as_json()", None), ("log_as_json('shop')", "shop")):
        program = f"from instrumentation.logs import log_as_json; {call}; import logging; logging.info('up')"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        line = json.loads(done.stderr)
        assert (line["message"], line.get("service")) == ("up", service)


def test_the_command_lines_errors_do_not_import_the_telemetry_libraries() -> None:
    """Start-up time: a command that fails before it begins pays for nothing."""
    program = "import sys, instrumentation.errors; print([m for m in sys.modules if m.startswith('opentelemetry')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
