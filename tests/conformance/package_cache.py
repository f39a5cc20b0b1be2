"""Packages of other languages, fetched once into a directory outside the repository."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path.home() / ".cache" / "everlog"

_POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>everlog.conformance</groupId><artifactId>jars</artifactId><version>1</version>
  <dependencies>{dependencies}</dependencies>
</project>
"""
_DEPENDENCY = """
    <dependency>
      <groupId>{0}</groupId><artifactId>{1}</artifactId><version>{2}</version>
    </dependency>"""


class MissingToolError(RuntimeError):
    """A program that a package needs is not installed here."""


class PackageError(RuntimeError):
    """A package could not be fetched or built."""


def cached(name: str, build: Callable[[Path], None]) -> Path:
    """Return the directory ``name`` of the cache; ``build`` fills it the first time.

    It is filled under another name and renamed when complete, so that several builders at once,
    or one that was killed, leave nothing half made.
    """
    final = ROOT / name
    if final.is_dir():
        return final
    final.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{final.name}-", dir=final.parent) as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        build(made)
        try:
            made.rename(final)
        except OSError:
            if not final.is_dir():
                raise
    return final


def run_tool(command: Sequence[str], *, cwd: Path) -> str:
    """Run a package tool to its end and return what it printed.

    Raises:
        MissingToolError: The program is not on the path.
        PackageError: It failed; the message carries its last lines.
    """
    if shutil.which(command[0]) is None:
        raise MissingToolError(f"{command[0]} is not installed")
    done = subprocess.run(
        command,
        cwd=cwd,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode != 0:
        raise PackageError(f"{' '.join(command)} failed:\n{done.stdout[-4000:]}")
    return done.stdout


def maven_jars(name: str, artifacts: Sequence[str]) -> list[Path]:
    """Return the jars of ``group:artifact:version`` artifacts and of all they depend on."""

    def build(made: Path) -> None:
        dependencies = "".join(_DEPENDENCY.format(*artifact.split(":")) for artifact in artifacts)
        with tempfile.TemporaryDirectory() as scratch:
            (Path(scratch) / "pom.xml").write_text(_POM.format(dependencies=dependencies))
            run_tool(
                [
                    "mvn",
                    "--batch-mode",
                    "--quiet",
                    "dependency:copy-dependencies",
                    "-DincludeScope=runtime",
                    f"-DoutputDirectory={made}",
                ],
                cwd=Path(scratch),
            )

    return sorted(cached(name, build).rglob("*.jar"))


def npm_modules(name: str, packages: Sequence[str]) -> Path:
    """Return a directory whose ``node_modules`` holds ``packages``; no install script is run."""

    def build(made: Path) -> None:
        run_tool(
            ["npm", "install", "--ignore-scripts", "--no-audit", "--prefix", str(made), *packages],
            cwd=made,
        )

    return cached(name, build) / "node_modules"
