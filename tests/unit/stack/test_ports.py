import json
import socket
from pathlib import Path

import pytest

from abops.stack.ports import (
    NoFreePortError,
    PortsFileError,
    choose_ports,
    is_free,
    read_ports,
    write_ports,
)


def test_a_free_default_is_taken() -> None:
    assert {"api": 8000} == choose_ports({"api": 8000}, {}, usable=lambda _: True)


def test_a_taken_default_gives_way_to_a_spare_port() -> None:
    chosen = choose_ports({"api": 8000}, {}, usable=lambda port: port != 8000, spare=[21000])

    assert {"api": 21000} == chosen


def test_the_kept_port_wins_over_the_default() -> None:
    assert {"api": 21000} == choose_ports({"api": 8000}, {"api": 21000}, usable=lambda _: True)


def test_a_kept_port_that_a_stranger_took_is_given_up() -> None:
    chosen = choose_ports({"api": 8000}, {"api": 21000}, usable=lambda port: port != 21000)

    assert {"api": 8000} == chosen


def test_two_parts_never_share_a_port() -> None:
    chosen = choose_ports(
        {"api": 8000, "web": 8000}, {}, usable=lambda _: True, spare=[8000, 21000]
    )

    assert {"api": 8000, "web": 21000} == chosen


def test_a_port_kept_for_one_part_is_not_given_to_another() -> None:
    chosen = choose_ports(
        {"api": 8000, "web": 9000}, {"web": 8000}, usable=lambda _: True, spare=[21000]
    )

    assert {"api": 21000, "web": 8000} == chosen


def test_no_free_port_is_an_error_with_a_hint() -> None:
    with pytest.raises(NoFreePortError, match="taken"):
        choose_ports({"api": 8000}, {}, usable=lambda _: False, spare=[21000])


def test_a_port_with_a_listener_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert not is_free(server.getsockname()[1])


def test_a_port_is_free_when_its_listener_has_gone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    assert is_free(port)


def test_chosen_ports_are_read_back(tmp_path: Path) -> None:
    write_ports(tmp_path / "ports.json", {"api": 21000})

    assert {"api": 21000} == read_ports(tmp_path / "ports.json")


def test_before_the_first_start_no_port_is_chosen(tmp_path: Path) -> None:
    assert {} == read_ports(tmp_path / "ports.json")


@pytest.mark.parametrize("content", ["{", json.dumps([1]), json.dumps({"api": "8000"})])
def test_a_damaged_file_is_an_error_that_names_it(tmp_path: Path, content: str) -> None:
    (tmp_path / "ports.json").write_text(content)

    with pytest.raises(PortsFileError, match=r"ports\.json"):
        read_ports(tmp_path / "ports.json")
