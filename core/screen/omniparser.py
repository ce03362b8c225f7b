"""OmniParser's models as a parser: its region detector and icon captions, with our own text recognition.

The order is OmniParser's: text and controls are found apart and merged, and what then has no text is captioned. Its own
faults are not kept: a crop that cannot be captioned shifts no other, and a screen without text or without controls is a
screen with fewer elements.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import numpy as np
import torch
from PIL import Image

from core.errors import UserError
from core.generators import StageClock, passing_on
from core.screen.captions import IconCaptioner
from core.screen.elements import Element, ParseOptions, Screen
from core.screen.merge import merge, number
from core.screen.ocr import TextReader
from core.screen.regions import SMALLEST_SIDE, RegionDetector
from core.screen.weights import OMNIPARSER, find_files

BOX_THRESHOLD, IOU_THRESHOLD = 0.05, 0.1  # those of OmniParser's demo
IMAGE_SIDE = 640  # at which OmniParser runs the detector
LARGEST_SIDE = 3840
TEXT_SIDE = 1920
TEXT_CONFIDENCE = 0.8  # text less sure than this is often an icon; OmniParser asks the same of its recogniser


class OmniParser:
    """Implements core.screen.elements.Parser. One instance serves every visitor."""

    def __init__(self, reader: TextReader, detector: RegionDetector, captioner: IconCaptioner) -> None:
        self.name = f"OmniParser v2 ({detector.device.type})"
        self._reader, self._detector, self._captioner = reader, detector, captioner

    @classmethod
    def load(cls, source: str = OMNIPARSER, device: str = "auto") -> OmniParser:
        """From the hub (or its cache), or from a folder laid out as ``microsoft/OmniParser-v2.0`` is.

        ``icon_detect_v3/model.pt`` is TorchScript, which is code: name only a folder whose origin you trust. Raises
        UserError where weights are missing, are pickles or are something else, and where the device is not there.
        """
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        if device not in ("cuda", "cpu") or (device == "cuda" and not torch.cuda.is_available()):
            raise UserError(
                f"The device {device!r} is not here. Choose auto or cpu, or cuda on a machine with such a GPU."
            )
        files, where = find_files(source), torch.device(device)
        try:
            detector = RegionDetector.load(files.detector, where)
            captioner = IconCaptioner.load(files.caption_config, files.caption_weights, files.tokenizer, where)
        except torch.OutOfMemoryError as error:
            raise UserError("The GPU has too little free memory for OmniParser. Choose the embedded parser.") from error
        return cls(TextReader(), detector, captioner)

    def parse(self, image: Image.Image, options: ParseOptions = ParseOptions()) -> Generator[str, None, Screen]:
        """Yield the name of the stage under way, return the Screen. Options that cannot be met are a UserError."""
        box_threshold = BOX_THRESHOLD if options.box_threshold is None else options.box_threshold
        iou_threshold = IOU_THRESHOLD if options.iou_threshold is None else options.iou_threshold
        side = IMAGE_SIDE if options.image_side is None else options.image_side
        if not SMALLEST_SIDE <= side <= LARGEST_SIDE:
            raise UserError(f"The image side must be {SMALLEST_SIDE} to {LARGEST_SIDE} pixels, not {side}.")
        image = image.convert("RGB")
        clock = StageClock()

        yield clock.begin("reading text")
        reading = self._reader.read(np.asarray(image), options.image_side or TEXT_SIDE, options.language)
        texts = yield from passing_on(reading, lambda _: "reading text")
        texts = [text for text in texts if text.confidence > max(TEXT_CONFIDENCE, box_threshold)]

        yield clock.begin("finding controls")
        controls = self._detector.detect(image, side, box_threshold, iou_threshold)

        yield clock.begin("merging")
        elements = number([_kind(element) for element in merge(texts, controls, iou_threshold)])

        icons = [element for element in elements if element.kind == "icon"]
        captioned: dict[int, Element] = {}
        for start in range(0, len(icons), self._captioner.batch):
            yield clock.begin("captioning icons")
            batch = icons[start : start + self._captioner.batch]
            for icon, guess in zip(batch, self._captioner.caption(image, [icon.box for icon in batch]), strict=True):
                captioned[icon.id] = replace(icon, icons=(guess,) if guess else ())
        elements = tuple(captioned.get(element.id, element) for element in elements)
        return Screen(image.size, elements, self.name, clock.stop())


def _kind(element: Element) -> Element:
    """The detector finds controls but does not say which; one that bears text is a button to whoever looks for it."""
    return replace(element, kind="button") if element.kind == "icon" and element.text else element
