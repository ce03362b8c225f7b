"""Icon sets: fetched, their names read as concepts, their icons drawn.

The sets stand in ``icon_sets.toml`` and the concepts in ``icon_concepts.txt``. Most come from npm's ``@iconify-json``
packages, which hold many sets in one form and without code; older coloured sets are pictures of 16 to 32 pixels.
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
import urllib.request
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import resvg_py
from PIL import Image

from core.errors import UserError
from core.files import whole_folder

HERE = Path(__file__).parent
SIDE = 96
"""Side in pixels at which a vector icon is drawn."""
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
    colour: bool = False
    source: str = ""
    files: str = ""

    def meaning(self, file: str) -> str:
        """The file's name without the part that says how it is drawn."""
        return re.sub(self.style, "", file) if self.style else file


@dataclass(frozen=True)
class Shape:
    """One icon. Shapes of one ``group`` look alike.

    ``drawing`` is square: ink of any colour, uint8 [side, side], or a picture in its own colours, RGBA [side, side, 4].
    """

    concept: str
    icon_set: str
    name: str
    drawing: np.ndarray
    group: str

    @property
    def coloured(self) -> bool:
        return self.drawing.ndim == 3


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
    fields = ("version", "integrity", "use", "style", "colour", "source", "files")
    return [IconSet(name, **{key: entry[key] for key in fields if key in entry}) for name, entry in table.items()]


def fetch(source: str, integrity: str, cache: Path) -> Path:
    """The unpacked archive of npm's "name@version" or at an address, from the cache or fetched, checked by its hash."""
    remote = source.startswith("https://")
    archive = cache / (source.rsplit("/", 1)[1] if remote else re.sub("[/@]", "-", source.strip("@")) + ".tgz")
    folder = archive.with_suffix("")
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    try:
        if remote and not archive.is_file():
            urllib.request.urlretrieve(source, archive)
        elif not archive.is_file():
            command = ["npm", "pack", "--silent", source]
            subprocess.run(command, cwd=cache, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise UserError(f"{source} could not be fetched: is npm installed and the network reachable?") from error
    digest = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if digest != integrity:
        raise UserError(
            f"{archive} is not the pinned package: expected {integrity}, got {digest}. Delete it and retry."
        )
    with tarfile.open(fileobj=_tar(archive)) as tar, whole_folder(folder) as part:
        tar.extractall(part, filter="data")
    return folder


def _tar(archive: Path) -> io.BytesIO:
    """The tar archive in a file. A Debian package is an ar archive that holds one behind its headers of 60 bytes."""
    data, start = archive.read_bytes(), 8
    if not data.startswith(b"!<arch>"):
        return io.BytesIO(data)
    while True:
        size = int(data[start + 48 : start + 58])
        if data.startswith(b"data.tar", start):
            return io.BytesIO(data[start + 60 : start + 60 + size])
        start += 60 + size + size % 2


class Vectors:
    """The drawings of one set's vector icons, kept in the cache folder, because drawing them all takes minutes."""

    def __init__(self, icon_set: IconSet, folder: Path) -> None:
        self.data = json.loads((folder / "package" / "icons.json").read_text(encoding="utf-8"))
        self.colour = icon_set.colour
        self.files = [file for file, icon in self.data["icons"].items() if not icon.get("hidden")]
        self.path = folder / f"drawings-{SIDE}.npz"
        self.drawings: dict[str, np.ndarray] = {}
        self.kept = 0
        if self.path.is_file():
            with np.load(self.path, allow_pickle=False) as stored:
                self.drawings = dict(zip(stored["keys"].tolist(), stored["drawings"], strict=True))
            self.kept = len(self.drawings)

    def strokes(self, file: str) -> tuple[float, ...]:
        """How thick to draw this icon, as a share of how thick it is."""
        return (1.0, 0.6, 1.5) if "stroke-width" in self.data["icons"][file]["body"] and not self.colour else (1.0,)

    def __call__(self, file: str, stroke: float = 1.0) -> np.ndarray:
        key = f"{file}@{stroke}"
        if key not in self.drawings:
            icon = self.data["icons"][file]
            width, height = (icon.get(side, self.data.get(side, 16)) for side in ("width", "height"))
            picture = rasterise(icon["body"], width, height, stroke)
            self.drawings[key] = picture if self.colour else ink(picture)
        return self.drawings[key]

    def keep(self) -> None:
        if len(self.drawings) > self.kept:
            drawings = np.stack(list(self.drawings.values()))
            np.savez_compressed(self.path, keys=np.array(list(self.drawings)), drawings=drawings)


class Pictures:
    """The icons of one set of PNG files, or of one sheet of 16 x 16 pixels with a table of places beside it."""

    def __init__(self, icon_set: IconSet, folder: Path) -> None:
        self.pictures: dict[str, np.ndarray] = {}
        for path in sorted(folder.glob(icon_set.files)):
            if path.suffix == ".json":
                sheet = np.asarray(Image.open(path.with_suffix(".png")).convert("RGBA"))
                for name, (x, y) in json.loads(path.read_text(encoding="utf-8")).items():
                    self.pictures[name] = sheet[y : y + 16, x : x + 16]
            # links are other names of the same icon
            elif not path.is_symlink():
                picture = np.asarray(Image.open(path).convert("RGBA"))
                if picture.shape[0] == picture.shape[1]:
                    self.pictures[f"{path.stem.replace('_', '-')}-{len(picture)}px"] = picture
        self.files = list(self.pictures)

    def strokes(self, file: str) -> tuple[float, ...]:
        return (1.0,)

    def __call__(self, file: str, stroke: float = 1.0) -> np.ndarray:
        return self.pictures[file]

    def keep(self) -> None:
        pass


def rasterise(body: str, width: float, height: float, stroke: float = 1.0) -> np.ndarray:
    """Picture of an SVG body, RGBA uint8 [SIDE, SIDE, 4], ``stroke`` times as thick where it is drawn with strokes."""
    if stroke != 1.0:
        body = re.sub(r'stroke-width="([\d.]+)"', lambda found: f'stroke-width="{float(found[1]) * stroke:.2f}"', body)
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="{SIDE}" '
    svg += f'height="{SIDE}" viewBox="0 0 {width} {height}">{body}</svg>'
    png = resvg_py.svg_to_bytes(svg_string=svg, skip_system_fonts=True)
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))


def ink(drawing: np.ndarray) -> np.ndarray:
    """Mask of a drawing, uint8 [side, side]: ink is dark and opaque."""
    if drawing.ndim == 2:
        return drawing
    return (drawing[..., 3] * (1 - drawing[..., :3].mean(2) / 255)).round().astype(np.uint8)


def read_shapes(icon_set: IconSet, folder: Path, meanings: dict[str, str], others: int) -> list[Shape]:
    """The shapes of one set: all that have a meaning, and about ``others`` that have none."""
    drawings = (Pictures if icon_set.files else Vectors)(icon_set, folder)
    known_words = {word for name in meanings for word in name.split("/")[-1].split("-") if len(word) > 2}
    chosen, strangers = [], []
    for file in drawings.files:
        name = icon_set.meaning(file)
        concept = meanings.get(f"{icon_set.name}/{name}", meanings.get(name))
        if _RIGHT_TO_LEFT.search(file) or concept == "-":
            continue
        if concept is not None:
            chosen += [(concept, file, name, stroke) for stroke in drawings.strokes(file)]
        # a name that shares a word with some concept may well show it, and would teach the wrong thing
        elif not known_words & set(name.split("-")):
            strangers.append((OTHER, file, name, 1.0))
    order = np.random.default_rng(0).permutation(len(strangers))[:others]
    chosen += [strangers[index] for index in order]
    shapes = [
        Shape(concept, icon_set.name, file, drawings(file, stroke), f"{icon_set.name}/{name}")
        for concept, file, name, stroke in chosen
    ]
    drawings.keep()
    return [shape for shape in shapes if ink(shape.drawing).max() > 40]


def meanings_of_files(concepts: list[Concept]) -> dict[str, str]:
    """Concept by file name, plain or "set/name"."""
    return {file: concept.name for concept in concepts for file in concept.files}


def fingerprint(drawing: np.ndarray) -> np.ndarray:
    """What two drawings are compared by: the ink, cut tight, blurred, at 20 x 20, of length 1."""
    mask = ink(drawing)
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
            prints = np.stack([fingerprint(shape.drawing) for shape in members])
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
