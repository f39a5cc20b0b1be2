"""Jars from Maven Central, got once."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from bench.errors import BenchError
from bench.tool import output_of

_LIMIT_S = 900.0


class Artifact(NamedTuple):
    """What is got: with all that it needs, or alone if it has a classifier."""

    group: str
    name: str
    version: str
    classifier: str = ""


def fetch_jars(directory: Path, artifacts: Iterable[Artifact]) -> None:
    """Fill a directory with jars; cheap once they are there.

    Raises:
        BenchError: They cannot be got.
    """
    complete = directory / ".complete"
    if complete.exists():
        return
    if shutil.which("mvn") is None:
        raise BenchError("mvn is not on the PATH: install Maven, or --only everlog")
    wanted = list(artifacts)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "pom.xml").write_text(pom(wanted))
    named = ", ".join(f"{each.name} {each.version} {each.classifier}".strip() for each in wanted)
    print(f"getting {named} from Maven Central, once", flush=True)
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={directory}"]
    alone = ["-DexcludeTransitive=true"] if all(each.classifier for each in wanted) else []
    output_of(["mvn", "-q", "-B", *goal, *alone], limit_s=_LIMIT_S, cwd=directory)
    complete.touch()


def pom(artifacts: Iterable[Artifact]) -> str:
    """Write a project that depends on them."""
    dependencies = "".join(
        f"<dependency><groupId>{each.group}</groupId><artifactId>{each.name}</artifactId>"
        f"<version>{each.version}</version>"
        + (f"<classifier>{each.classifier}</classifier>" if each.classifier else "")
        + "</dependency>"
        for each in artifacts
    )
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>everlog.bench</groupId><artifactId>jars</artifactId><version>1</version>"
        f"<packaging>pom</packaging><dependencies>{dependencies}</dependencies></project>\n"
    )
