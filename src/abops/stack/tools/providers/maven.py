"""A Java program: jars that Maven gathers, checked one by one, and a class of ours compiled here.

Or a jar that only carries an archive of programs for this machine.

Maven's own check compares a jar with a sum from the same place; ours is committed.
"""

import hashlib
import shutil
from pathlib import Path

from abops.stack.tools.lock import PROJECTS, MavenArchiveProvider, MavenProvider, Tool
from abops.stack.tools.providers.archive import unpack
from abops.stack.tools.providers.outcome import PassedOverError, Provided, run

SUMS = "jars.sha256"
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"


def build(tool: Tool, provider: MavenProvider, tree: Path, mvn: Path, javac: Path) -> Provided:
    """Gather the jars into `tree`, compile the class, and write the program that starts it."""
    project = PROJECTS / provider.project
    jars, classes = tree / "lib", tree / "classes"
    classes.mkdir(parents=True)
    command: list[str | Path] = [mvn, "--quiet", "--batch-mode", "--strict-checksums"]
    command += ["--file", project / "pom.xml", "dependency:copy-dependencies"]
    run([*command, f"-DoutputDirectory={jars}"])
    check_sums(jars, (project / SUMS).read_text(encoding="utf-8"))
    source = project / f"{provider.main}.java"
    run([javac, "-cp", f"{jars}/*", "-d", classes, source])
    program = tool.programs[0]
    starter = tree / program
    options = " ".join(provider.options)
    java = javac.with_name("java")
    starter.write_text(
        "#!/bin/sh\n"
        'here=$(dirname "$(readlink -f "$0")")\n'
        f'exec "{java}" {options} -cp "$here/classes:$here/lib/*" {provider.main} "$@"\n'
    )
    return Provided({program: program})


def check_sums(jars: Path, expected: str) -> None:
    """Raise PassedOverError unless the folder holds exactly the jars that the list names."""
    wanted = {name: digest for digest, name in map(str.split, expected.splitlines())}
    found = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in jars.glob("*.jar")
    }
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            what = "is missing" if name not in found else "is not the one in jars.sha256"
            raise PassedOverError(f"{name} {what}")


def unpack_artifact(tool: Tool, provider: MavenArchiveProvider, tree: Path, mvn: Path) -> Provided:
    """Have Maven bring the jar; unpack it, and the archive in it, into `tree`."""
    del tool
    downloads = tree / ".downloads"
    downloads.mkdir(parents=True)
    command: list[str | Path] = [mvn, "--quiet", "--batch-mode", "--strict-checksums", COPY]
    run([*command, f"-Dartifact={provider.artifact}", f"-DoutputDirectory={downloads}"])
    (jar,) = downloads.glob("*.jar")
    unpack(jar, downloads, sha256=provider.sha256)
    unpack(downloads / provider.member, tree)
    shutil.rmtree(downloads)
    return Provided(dict(provider.programs))
