"""Metrics as an exporter serves them, in Prometheus' text format."""

import httpx2

from abops.kernel.errors import OpsError

TIMEOUT_S = 10.0


class ScrapeFailedError(OpsError):
    """The metrics could not be read."""

    hint = "See whether the part runs and serves this address: `abops stack status`."


def scrape(url: str) -> str:
    """Return what is served at `url`. Raises ScrapeFailedError."""
    headers = {"Accept": "text/plain;version=0.0.4"}
    try:
        with httpx2.Client(timeout=TIMEOUT_S, trust_env=False) as client:
            answer = client.get(url, headers=headers)
            answer.raise_for_status()
            return answer.text
    except httpx2.HTTPError as error:
        raise ScrapeFailedError(f"{url}: {error}") from error
