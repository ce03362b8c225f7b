"""Icon sets from npm: fetched, their names read as concepts, their drawings turned into masks.

The sets stand in ``icon_sets.toml`` and the concepts in ``icon_concepts.txt``. All come from npm's ``@iconify-json``
packages, which hold many sets in one form and without code.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import subprocess
import tarfile
import tomllib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import resvg_py
from PIL import Image

from core.errors import UserError

HERE = Path(__file__).parent
MASK = 96
"""Side of a shape's mask in pixels."""
OTHER = "other"
"""An icon that means none of the concepts."""

_RIGHT_TO_LEFT = re.compile(r"(^|-)rtl($|-)")


@dataclass(frozen=True)
class Concept:
    """What an icon can mean. ``also`` are other words for it, ``files`` the names icon sets give it."""

    name: str
    also: tuple[str, ...]
    files: tuple[str, ...]


@dataclass(frozen=True)
class IconSet:
    name: str
    version: str
    integrity: str
    use: str
    style: str = ""

    def meaning(self, file: str) -> str:
        """The file's name without the part that says how it is drawn."""
        return re.sub(self.style, "", file) if self.style else file


@dataclass(frozen=True)
class Shape:
    """One drawing: ``mask`` is uint8 [MASK, MASK], 255 where there is ink. Shapes of one ``group`` look alike."""

    concept: str
    icon_set: str
    name: str
    mask: np.ndarray
    group: str


def read_concepts(path: Path = HERE / "icon_concepts.txt") -> list[Concept]:
    concepts = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        head, files = line.split(":", 1)
        name, _, also = head.partition("(")
        words = tuple(word.strip() for word in also.rstrip(") ").split(",") if word.strip())
        concepts.append(Concept(name.strip(), words, tuple(files.split())))
    return concepts


def read_sets(path: Path = HERE / "icon_sets.toml") -> list[IconSet]:
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    fields = ("version", "integrity", "use", "style")
    return [IconSet(name, **{key: entry[key] for key in fields if key in entry}) for name, entry in table.items()]


def fetch(package: str, version: str, integrity: str, cache: Path) -> Path:
    """The unpacked npm package, downloaded by ``npm pack`` unless the cache has it, and checked against its hash."""
    archive = cache / f"{package.strip('@').replace('/', '-')}-{version}.tgz"
    folder = archive.with_suffix("")
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    try:
        command = ["npm", "pack", "--silent", f"{package}@{version}"]
        subprocess.run(command, cwd=cache, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise UserError(
            f"npm could not fetch {package}@{version}: is npm installed and the registry reachable?"
        ) from error
    digest = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if digest != integrity:
        raise UserError(
            f"{archive} is not the pinned package: expected {integrity}, got {digest}. Delete it and retry."
        )
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder


class Masks:
    """The masks of one set's icons, kept in the cache folder, because drawing them all takes minutes."""

    def __init__(self, icon_set: IconSet, folder: Path) -> None:
        self.data = json.loads((folder / "package" / "icons.json").read_text(encoding="utf-8"))
        self.path = folder / f"masks-{MASK}.npz"
        self.masks: dict[str, np.ndarray] = {}
        self.kept = 0
        if self.path.is_file():
            with np.load(self.path, allow_pickle=False) as stored:
                self.masks = dict(zip(stored["keys"].tolist(), stored["masks"], strict=True))
            self.kept = len(self.masks)

    def __call__(self, file: str, stroke: float = 1.0) -> np.ndarray:
        """uint8 [MASK, MASK], ``stroke`` times as thick where the set draws with strokes."""
        key = f"{file}@{stroke}"
        if key not in self.masks:
            icon = self.data["icons"][file]
            width, height = (icon.get(side, self.data.get(side, 16)) for side in ("width", "height"))
            self.masks[key] = rasterise(icon["body"], width, height, stroke)
        return self.masks[key]

    def keep(self) -> None:
        if len(self.masks) > self.kept:
            np.savez_compressed(self.path, keys=np.array(list(self.masks)), masks=np.stack(list(self.masks.values())))


def rasterise(body: str, width: float, height: float, stroke: float = 1.0) -> np.ndarray:
    """Mask of an SVG body, uint8 [MASK, MASK]: ink is dark and opaque."""
    if stroke != 1.0:
        body = re.sub(r'stroke-width="([\d.]+)"', lambda found: f'stroke-width="{float(found[1]) * stroke:.2f}"', body)
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="{MASK}" '
    svg += f'height="{MASK}" viewBox="0 0 {width} {height}">{body}</svg>'
    png = resvg_py.svg_to_bytes(svg_string=svg, skip_system_fonts=True)
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"), np.float32)
    mask = pixels[..., 3] * (1 - pixels[..., :3].mean(2) / 255)
    return mask.round().astype(np.uint8)


def read_shapes(icon_set: IconSet, folder: Path, meanings: dict[str, str], others: int) -> list[Shape]:
    """The shapes of one set: all that have a meaning, and about ``others`` that have none."""
    masks = Masks(icon_set, folder)
    known_words = {word for name in meanings for word in name.split("/")[-1].split("-") if len(word) > 2}
    chosen, strangers = [], []
    for file, icon in masks.data["icons"].items():
        name = icon_set.meaning(file)
        concept = meanings.get(f"{icon_set.name}/{name}", meanings.get(name))
        if icon.get("hidden") or _RIGHT_TO_LEFT.search(file) or concept == "-":
            continue
        if concept is not None:
            strokes = (1.0, 0.6, 1.5) if "stroke-width" in icon["body"] else (1.0,)
            chosen += [(concept, file, name, stroke) for stroke in strokes]
        # a name that shares a word with some concept may well show it, and would teach the wrong thing
        elif not known_words & set(name.split("-")):
            strangers.append((OTHER, file, name, 1.0))
    order = np.random.default_rng(0).permutation(len(strangers))[:others]
    chosen += [strangers[index] for index in order]
    shapes = [
        Shape(concept, icon_set.name, file, masks(file, stroke), f"{icon_set.name}/{name}")
        for concept, file, name, stroke in chosen
    ]
    masks.keep()
    return [shape for shape in shapes if shape.mask.max() > 40]


def meanings_of_files(concepts: list[Concept]) -> dict[str, str]:
    """Concept by file name, plain or "set/name"."""
    return {file: concept.name for concept in concepts for file in concept.files}


def fingerprint(mask: np.ndarray) -> np.ndarray:
    """What two drawings are compared by: the ink, cut tight, blurred, at 20 x 20, of length 1."""
    ys, xs = np.nonzero(mask > 64)
    tight = mask[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1] if len(ys) else mask
    side = max(tight.shape)
    square = np.zeros((side, side), np.float32)
    top, left = (side - tight.shape[0]) // 2, (side - tight.shape[1]) // 2
    square[top : top + tight.shape[0], left : left + tight.shape[1]] = tight
    small = cv2.resize(cv2.GaussianBlur(square, (0, 0), side / 24), (20, 20), interpolation=cv2.INTER_AREA).ravel()
    small -= small.mean()
    return small / (np.linalg.norm(small) + 1e-6)


def hold_out(shapes: list[Shape], rng: np.random.Generator, alike: float = 0.95) -> dict[str, list[Shape]]:
    """Splits shapes into "train", "validation" and "test", so that no drawing is measured that was trained on.

    A group is one name in one set, all its styles together. About one in fourteen goes to the test and half as many to
    the validation. Groups of other sets that look like a held-out one are left out altogether; where more than three
    do, everybody draws it so (a plus) and it cannot be held out.
    """
    split: dict[str, list[Shape]] = {"train": [], "validation": [], "test": []}
    by_concept = defaultdict(list)
    for shape in shapes:
        by_concept[shape.concept].append(shape)
    for concept, members in sorted(by_concept.items()):
        groups = sorted({shape.group for shape in members})
        use: dict[str, str] = {}
        if concept != OTHER:
            prints = np.stack([fingerprint(shape.mask) for shape in members])
            twins: dict[str, set[str]] = {group: set() for group in groups}
            for a, b in np.argwhere(prints @ prints.T > alike):
                twins[members[a].group].add(members[b].group)
        wanted = max(2, round(len(groups) * 0.105))
        for index in rng.permutation(len(groups)):
            group = groups[index]
            look_alikes = twins[group] - {group} if concept != OTHER else set()
            if wanted == 0:
                break
            if group in use or len(look_alikes) > 3 or any(use.get(twin, "none") != "none" for twin in look_alikes):
                continue
            use[group] = "validation" if wanted % 3 == 0 else "test"
            use.update(dict.fromkeys(look_alikes, "none"))
            wanted -= 1
        for shape in members:
            where = use.get(shape.group, "train")
            if where != "none":
                split[where].append(shape)
    return split
