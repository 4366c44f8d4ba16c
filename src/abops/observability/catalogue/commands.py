"""Commands that runbooks show: written once, so that all of them work or none does."""


def ask(query: str) -> str:
    """Return how to ask Prometheus, as a block."""
    return (
        "```\ncurl -s http://PROMETHEUS/api/v1/query --data-urlencode \\\n"
        f"  'query={query}' |\n"
        "  jq -r '.data.result[] | \"\\(.value[1]) \\(.metric)\"' | sort -rn\n```\n"
    )


def errors_of(part: str) -> str:
    """Return how to read a part's last errors, as a block: from the log store, or from the file."""
    return shell(
        f"abops observability logs search --service {part} --level error --since 30m -n 20",
        f"abops stack logs {part} -n 200   # without a log store",
    )


def shell(*lines: str) -> str:
    """Return a block of commands."""
    return "```\n" + "\n".join(lines) + "\n```\n"
