"""The house rules that a machine can check: style, and the licences of what is depended on."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]

# As their licence files say; their metadata says nothing.
UNSTATED = {"resvg-py": "MPL-2.0"}
CUDA = re.compile(r"nvidia-|cuda-|triton$")
"""What PyPI's PyTorch for Linux brings for GPUs, under NVIDIA's terms; everything works without it."""
NEVER = re.compile(
    r"\b(?:AGPL|Affero|GPL|(?<!Lesser )(?<!Library )General Public License|SSPL|BUSL|Business Source|"
    r"CC[- ]BY[- ](?:NC|ND)|non-?commercial|proprietary)",
    re.I,
)
"""Licences that the project's users could not live with: they reach over to what they build, or forbid its sale."""


def test_the_code_is_in_one_style():
    for arguments in (["check"], ["format", "--check"]):
        ruff = subprocess.run([sys.executable, "-m", "ruff", *arguments, "."], cwd=ROOT, capture_output=True, text=True)
        assert ruff.returncode == 0, ruff.stdout


def required_by(path: Path) -> list[Requirement]:
    """What a requirements file names, with the files that it includes."""
    found: list[Requirement] = []
    for line in path.read_text().splitlines():
        line = line.split("#")[0].strip()
        if line.startswith("-r "):
            found += required_by(path.parent / line[3:].strip())
        elif line:
            found.append(Requirement(line))
    return found


def installed(roots: list[Requirement]) -> dict[str, str]:
    """Name of every distribution that is depended on, however far -> what it says of its licence."""
    licences: dict[str, str] = {}
    waiting = [(requirement, {""} | requirement.extras) for requirement in roots]
    seen: set[tuple[str, str]] = set()
    while waiting:
        requirement, extras = waiting.pop()
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        if CUDA.match(name):
            continue
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue  # for another system or Python
        metadata = found.metadata
        classifiers = [line for line in metadata.get_all("Classifier") or [] if line.startswith("License ::")]
        # Whole licence texts name other licences: their first line says which it is.
        stated = [metadata.get("License-Expression"), (metadata.get("License") or "").partition("\n")[0], *classifiers]
        licences[name] = UNSTATED.get(name) or " | ".join(line for line in stated if line and line != "UNKNOWN")
        for extra in extras - {extra for other, extra in seen if other == name}:
            seen.add((name, extra))
            for line in found.requires or []:
                needed = Requirement(line)
                if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                    waiting.append((needed, {""} | needed.extras))
    return licences


def test_every_dependency_has_a_licence_that_lets_people_use_the_project():
    licences = installed(required_by(ROOT / "tests" / "requirements.txt"))
    assert {"torch", "gradio", "numpy", "markupsafe"} <= licences.keys(), "dependencies of dependencies are looked at"
    assert not [name for name, licence in licences.items() if not licence], "says nothing of its licence"
    assert not {name: licence for name, licence in licences.items() if NEVER.search(licence)}


@pytest.mark.parametrize(
    "licence",
    [
        "AGPL-3.0-or-later",
        "License :: OSI Approved :: GNU Affero General Public License v3",
        "GPL-3.0-only",
        "License :: OSI Approved :: GNU General Public License v2 (GPLv2)",
        "CC-BY-NC-4.0",
        "License :: Free for non-commercial use",
        "License :: Other/Proprietary License",
    ],
)
def test_licences_that_reach_too_far_are_told(licence: str):
    assert NEVER.search(licence)


@pytest.mark.parametrize(
    "licence",
    ["MIT", "LGPL v2.1", "License :: OSI Approved :: GNU Library or Lesser General Public License (LGPL)", "MPL-2.0"],
)
def test_licences_that_do_not_are_let_through(licence: str):
    assert not NEVER.search(licence)


def test_what_is_depended_on_is_pinned():
    for path in (ROOT / "tests" / "requirements.txt", ROOT / "requirements-gpu.txt"):
        for requirement in required_by(path):
            assert re.fullmatch(r"==[\w.]+", str(requirement.specifier)), f"{path.name}: {requirement}"
