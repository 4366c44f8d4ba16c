import pytest

from abops.observability.contract import (
    Contract,
    ContractError,
    Metric,
    differences,
    from_scrape,
    joined,
    kept_up,
    read_contract,
    write_contract,
)

SCRAPE = """\
# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{code="200",path="a\\"b,c=\\"d"} 7
requests_total{code="500"} 1
# TYPE seconds histogram
seconds_bucket{le="0.1"} 1
seconds_bucket{le="+Inf"} 2
seconds_count 2
seconds_sum 0.3
# TYPE rare_total counter
# TYPE wait histogram
bare 5
"""


def a_contract(*metrics: Metric, source: str = "recorded") -> Contract:
    held = {metric.name: metric for metric in metrics}
    return Contract("api", "api", "1.0", source, frozenset({"env", "job"}), held)  # type: ignore[arg-type]


def test_a_scrape_shows_names_types_and_labels() -> None:
    assert {
        "requests_total": Metric("requests_total", "counter", frozenset({"code", "path"})),
        "seconds_bucket": Metric("seconds_bucket", "histogram", frozenset({"le"})),
        "seconds_count": Metric("seconds_count", "histogram", frozenset()),
        "seconds_sum": Metric("seconds_sum", "histogram", frozenset()),
        "rare_total": Metric("rare_total", "counter", None),
        "wait_bucket": Metric("wait_bucket", "histogram", None),
        "wait_count": Metric("wait_count", "histogram", None),
        "wait_sum": Metric("wait_sum", "histogram", None),
        "bare": Metric("bare", "untyped", frozenset()),
    } == from_scrape(SCRAPE)


def test_a_contract_is_read_as_it_was_written() -> None:
    contract = a_contract(*from_scrape(SCRAPE).values())

    assert contract == read_contract(contract.filename, write_contract(contract))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("api.txt", "# job: api\n# source: recorded\n"),
        ("api@1.txt", "# source: recorded\n"),
        ("api@1.txt", "# job: api\n# source: guessed\n"),
        ("api@1.txt", "# job: api\n# source: recorded\na b c d\n"),
    ],
)
def test_a_file_that_is_no_contract_is_an_error(name: str, text: str) -> None:
    with pytest.raises(ContractError):
        read_contract(name, text)


def test_targets_of_one_job_are_taken_together_and_the_last_says_the_type() -> None:
    found = joined(
        [
            {"a": Metric("a", "gauge", frozenset({"x"})), "b": Metric("b", "gauge", None)},
            {
                "a": Metric("a", "counter", frozenset({"y"})),
                "b": Metric("b", "gauge", frozenset({"z"})),
            },
        ]
    )

    assert Metric("a", "counter", frozenset({"x", "y"})) == found["a"]
    assert Metric("b", "gauge", frozenset({"z"})) == found["b"]


def test_labels_that_were_seen_once_stay_and_names_that_are_gone_do_not() -> None:
    kept = a_contract(Metric("a", "counter", frozenset({"x"})), Metric("gone", "gauge", None))
    now = a_contract(Metric("a", "counter", None), Metric("new", "gauge", None))

    assert {
        "a": Metric("a", "counter", frozenset({"x"})),
        "new": Metric("new", "gauge", None),
    } == kept_up(kept, now).metrics


def test_a_difference_is_a_name_a_type_or_a_label() -> None:
    kept = a_contract(
        Metric("a", "counter", frozenset({"x"})),
        Metric("b", "gauge", frozenset({"x"})),
        Metric("gone", "gauge", None),
        Metric("silent", "gauge", frozenset({"x"})),
    )
    now = a_contract(
        Metric("a", "gauge", frozenset({"x"})),
        Metric("b", "gauge", frozenset({"y"})),
        Metric("new", "gauge", None),
        Metric("silent", "gauge", None),
    )

    assert [
        ("a", "type counter -> gauge"),
        ("b", "label x gone"),
        ("b", "label y new"),
        ("gone", "gone"),
        ("new", "new"),
    ] == [(one.metric, one.what) for one in differences(kept, now)]
