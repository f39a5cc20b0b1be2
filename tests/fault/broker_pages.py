"""The pages of a broker's own HTTP, as a test reads them."""

import http.client
import json
import re
from pathlib import Path

SAMPLE = re.compile(r"(everlog_\S+) (\S+)")


class BrokerPages:
    """Finds them by the broker's log, which may name another port after each start."""

    def __init__(self, log_path: Path) -> None:
        self._log_path = log_path

    def metrics(self) -> dict[str, float]:
        """Return every sample, by its name and labels."""
        _, text = self._get("/metrics")
        found = (SAMPLE.fullmatch(line) for line in text.splitlines())
        return {match[1]: float(match[2]) for match in found if match is not None}

    def readiness(self) -> tuple[int, str]:
        """Return the status and the text of ``/readyz``."""
        return self._get("/readyz")

    def _get(self, path: str) -> tuple[int, str]:
        lines = self._log_path.read_text(errors="replace").splitlines()
        ready = [line for line in lines if '"broker_ready"' in line]
        address = json.loads(ready[-1])["admin"].removeprefix("http://")
        connection = http.client.HTTPConnection(address, timeout=20)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()
