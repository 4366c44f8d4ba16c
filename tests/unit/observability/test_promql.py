import pytest

from abops.observability.promql import PromqlError, parsed, written


@pytest.mark.parametrize(
    "text",
    [
        'sum by (env, service) (rate(m{job="x",code=~"5.."}[20s])) / (sum(n) > 0) > 0.5',
        "a and on () b or -vector(1) unless ignoring (x) c",
        "a * on (x) group_left (y) b",
        "a == bool 1",
        "topk by (x) (3, up)",
        "max_over_time(up[1h:5m] offset 1d)",
        "rate(m[1h30m] offset 1w) - m offset -5m",
        r'label_replace(up{a=~"x\\.d\"q"}, "a", "$1", "b", "(.+)\\d")',
        '{__name__=~"a.*",x!=""} @ end()',
        "histogram_quantile(0.99, sum by (le) (m)) ^ 2 % 3",
    ],
)
def test_an_expression_is_written_as_it_was_read(text: str) -> None:
    assert parsed(text).prettify() == parsed(written(parsed(text))).prettify()


def test_what_is_not_promql_is_an_error_with_its_text() -> None:
    with pytest.raises(PromqlError, match=r"in: sum\(\("):
        parsed("sum((")
