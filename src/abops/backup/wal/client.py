"""What PostgreSQL runs: push %p, get %f %p [DESTINATION...]. Installed as bin/pgbackrest-wal.

It asks the archiver and waits. Standard library only: it is started for every segment, by the
owner of the database, under an interpreter that may know nothing of us.
Exit codes. push: 0 the segment is kept, 1 PostgreSQL must try again. get: 0 found, 1 each
destination answered that it is not there, 126 one could not be asked. PostgreSQL takes 1 as the
end of its log and would begin a new timeline too early; more than 125 stops the recovery.
"""
# ruff: noqa: PTH100, PTH109, PTH120 - pathlib takes as long to import as all the rest

import os
import socket
import sys

DEADLINE_S = 50
UNKNOWN = 126
PUSH_WORDS, GET_WORDS = 2, 3


def ask(home: str, words: list[str]) -> tuple[int, str]:
    """Return the archiver's code and what it says. Raises OSError, ValueError."""
    # From inside the home: the path of a socket may have 107 bytes only.
    os.chdir(home)
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(DEADLINE_S)
        line.connect("wal.sock")
        line.sendall(b"\0".join(os.fsencode(word) for word in words) + b"\n")
        with line.makefile("rb") as answer:
            code, _, text = answer.readline().decode(errors="replace").partition(" ")
    return int(code), text.strip()


def request_of(words: list[str]) -> list[str]:
    """Return what the archiver is asked. Raises ValueError."""
    if words[:1] == ["push"] and len(words) == PUSH_WORDS:
        return ["push", os.path.abspath(words[1])]
    if words[:1] == ["get"] and len(words) >= GET_WORDS:
        return ["get", words[1], os.path.abspath(words[2]), os.getcwd(), *words[3:]]
    raise ValueError("usage: pgbackrest-wal push %p | get %f %p [DESTINATION...]")


def main(home: str, words: list[str]) -> int:
    """Return the exit code."""
    try:
        code, text = ask(home, request_of(words))
    except (OSError, ValueError) as error:
        code = UNKNOWN if words[:1] == ["get"] else 1
        text = f"the archiver (abops backup wal serve) gave no answer: {error}"
    if text:
        sys.stderr.write(f"pgbackrest-wal {' '.join(words[:2])}: {text}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), sys.argv[1:]))
