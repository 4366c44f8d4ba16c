"""A region's keys and certificates: made once, closed to others, good for both names."""

import stat
import subprocess
from pathlib import Path

import msgspec

from abops.stack.certificates import make_certificates
from abops.stack.part import Tool
from abops.stack.regions import PORT_NAMES, Region, region_argv, write_identities


def test_certificates_are_made_once_and_only_the_server_key_is_kept(tmp_path: Path) -> None:
    assert (True, False) == (make_certificates(tmp_path), make_certificates(tmp_path))
    assert {"ca.crt", "server.crt", "server.key"} == {file.name for file in tmp_path.iterdir()}
    assert 0o600 == stat.S_IMODE((tmp_path / "server.key").stat().st_mode)


def test_the_server_is_known_by_name_and_by_address(tmp_path: Path) -> None:
    make_certificates(tmp_path)
    for option, name in (("-verify_hostname", "localhost"), ("-verify_ip", "127.0.0.1")):
        words = ["openssl", "verify", "-CAfile", "ca.crt", option, name, "server.crt"]
        done = subprocess.run(words, cwd=tmp_path, check=False, capture_output=True, text=True)
        assert (0, "server.crt: OK\n") == (done.returncode, done.stdout)


def test_a_certificate_that_is_no_longer_good_is_made_anew(tmp_path: Path) -> None:
    make_certificates(tmp_path)
    (tmp_path / "server.crt").write_text("worn out")
    assert make_certificates(tmp_path)
    assert (tmp_path / "server.crt").read_text().startswith("-----BEGIN CERTIFICATE-----")


def test_identities_are_closed_to_others(tmp_path: Path) -> None:
    write_identities(tmp_path / "s3.json", "key", "secret")
    document = msgspec.json.decode((tmp_path / "s3.json").read_bytes())
    assert [{"accessKey": "key", "secretKey": "secret"}] == document["identities"][0]["credentials"]
    assert 0o600 == stat.S_IMODE((tmp_path / "s3.json").stat().st_mode)


def test_a_region_names_every_port_tells_nobody_and_shows_no_secret(tmp_path: Path) -> None:
    ports = {name: 21_000 + index for index, name in enumerate(PORT_NAMES)}
    argv = region_argv(Region(tmp_path, ports, tmp_path / "tls", tmp_path / "s3.json"))
    assert Tool("weed") == argv[0]
    words = [str(word) for word in argv[1:]]
    assert sorted(map(str, ports.values())) == sorted(
        word.partition("=")[2] for word in words if ".port" in word and not word.endswith("=0")
    )
    assert "-master.telemetry=false" in words
    assert "-ip.bind=127.0.0.1" in words
