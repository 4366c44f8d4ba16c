"""What the log path says about itself is what rules and boards may read."""

from pathlib import Path

from abops.observability.contract import from_scrape, read_contract
from abops.observability.logs.metrics import PathState, exposition

CONTRACT = Path(__file__).parents[3] / "rules/contracts/abops-logs@declared.txt"


def test_the_contract_names_what_is_published() -> None:
    state = PathState(
        up=True, status="green", unshipped={"api": 1}, lines={"api": 9}, errors={"api": 2}
    )
    contract = read_contract(CONTRACT.name, CONTRACT.read_text())
    assert contract.metrics == from_scrape(exposition(state))


def test_without_a_store_only_what_is_known_is_said() -> None:
    said = from_scrape(exposition(PathState(up=False, dead_letters=3)))
    assert {"abops_log_store_up", "abops_log_dead_letters"} == set(said)
