"""Packages are pinned by hash, and downloads use https and are pinned."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pipeline.settings.base import read_params
from tests.imports import ROOT

LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WITHOUT_HASH = {"torch"}


def locked() -> dict[str, tuple[str, list[str]]]:
    """Return the version and the hashes of each package in the lock."""
    blocks = re.findall(r"^([\w.-]+)==(\S+)((?: \\\n    --hash=\S+)*)$", LOCK, re.MULTILINE)
    return {canonicalize_name(name): (version, re.findall(r"--hash=(\S+)", rest)) for name, version, rest in blocks}


def test_every_line_of_the_lock_is_parsed() -> None:
    pins = [line for line in LOCK.splitlines() if line and not line.startswith(("#", " "))]
    assert len(locked()) == len(pins) > 100


def test_every_package_has_hashes() -> None:
    for name, (_, hashes) in locked().items():
        assert hashes, name
        assert all(re.fullmatch("sha256:[0-9a-f]{64}", value) for value in hashes), name


@pytest.mark.parametrize("line", [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]])
def test_the_lock_has_the_versions_of_the_project(line: str) -> None:
    requirement = Requirement(line)
    name = canonicalize_name(requirement.name)
    (pin,) = requirement.specifier
    assert pin.operator == "=="
    assert (locked()[name][0] if name not in WITHOUT_HASH else pin.version) == pin.version


def test_shipped_downloads_are_pinned_and_use_https() -> None:
    params = read_params(ROOT / "params.yaml")
    assert all(url.startswith("https://") for url in params["emnist"]["nist"]["urls"])
    assert len(params["emnist"]["nist"]["sha256"]) == len(params["corpus"]["brown"]["sha256"]) == 64
