from abops.clients.pgbackrest_expiry import Expiry, read_expiry

SAID = """\
2026-11-25 14:40:22.036 P00   INFO: [DRY-RUN] repo1: expire time-based backup set A, A_1
2026-11-25 14:40:22.036 P00   INFO: [DRY-RUN] repo1: remove expired backup 20261021-144009F_20261021-144011I
2026-11-25 14:40:22.036 P00   INFO: [DRY-RUN] repo1: remove expired backup 20261021-144009F
2026-11-25 14:40:22.043 P00   INFO: repo1: 15-1 remove archive, start = 000000010000000000000003, stop = 000000010000000000000004
2026-11-25 14:40:22.043 P00   INFO: repo1: 15-1 remove archive, start = 000000010000000000000001, stop = 000000010000000000000001
2026-11-25 14:40:22.043 P00   INFO: [DRY-RUN] expire command end: completed successfully (10ms)
"""  # noqa: E501 - as it is said


def test_what_goes_is_read_from_what_the_engine_says_of_its_work() -> None:
    expected = Expiry(
        ("20261021-144009F", "20261021-144009F_20261021-144011I"),
        (
            ("000000010000000000000001", "000000010000000000000001"),
            ("000000010000000000000003", "000000010000000000000004"),
        ),
    )
    assert expected == read_expiry(SAID)


def test_a_set_that_was_not_there_is_not_said_to_go() -> None:
    assert Expiry() == read_expiry("WARN: backup 20261022-144009F does not exist\n")
