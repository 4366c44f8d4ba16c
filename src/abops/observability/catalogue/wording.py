"""What Prometheus' templates make of a number: the words that cases expect in a summary."""

_THOUSAND, _KIBI = 1000.0, 1024.0


def percent(value: float) -> str:
    """Do what `humanizePercentage` does."""
    return f"{value * 100:.4g}%"


def duration(seconds: float) -> str:
    """Do what `humanizeDuration` does, for a millisecond and more."""
    if seconds < 1:
        return f"{seconds * 1000:.4g}ms"
    whole = int(seconds)
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days}d {hours}h {minutes}m {whole % 60}s"
    if hours:
        return f"{hours}h {minutes}m {whole % 60}s"
    if minutes:
        return f"{minutes}m {whole % 60}s"
    return f"{seconds:.4g}s"


def amount(value: float) -> str:
    """Do what `humanize` does, for a thousandth and more."""
    if 0 < value < 1:
        return f"{value * _THOUSAND:.4g}m"
    return _scaled(value, _THOUSAND, ("", "k", "M", "G", "T"))


def size(value: float) -> str:
    """Do what `humanize1024` does."""
    return _scaled(value, _KIBI, ("", "ki", "Mi", "Gi", "Ti"))


def _scaled(value: float, base: float, prefixes: tuple[str, ...]) -> str:
    for prefix in prefixes[:-1]:
        if abs(value) < base:
            return f"{value:.4g}{prefix}"
        value /= base
    return f"{value:.4g}{prefixes[-1]}"
