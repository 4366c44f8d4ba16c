import base64
import hmac

from abops.stack.cluster import scram_verifier, setup_sql


def test_the_verifier_proves_the_server_of_the_standards_example() -> None:
    # RFC 7677, section 3: the exchange of user "user" with password "pencil".
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    exchange = ",".join(
        [
            "n=user,r=rOprNGfwEbeRWgbNEkqO",
            f"r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            f"c=biws,r={nonce}",
        ]
    )
    verifier = scram_verifier("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="))

    head, server_key = verifier.rsplit(":", 1)
    signature = hmac.digest(base64.b64decode(server_key), exchange.encode(), "sha256")
    assert "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$" == head[: head.rindex("$") + 1]
    assert "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=" == base64.b64encode(signature).decode()


def test_the_setup_gives_the_reader_a_verifier_and_nothing_to_write() -> None:
    script = setup_sql("SCRAM-SHA-256$4096:c2FsdA==$a:b")

    assert "PASSWORD 'SCRAM-SHA-256$4096:c2FsdA==$a:b'" in script
    assert "GRANT pg_monitor, pg_read_all_data TO abops_reader" in script
