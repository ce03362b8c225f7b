"""Where OmniParser's four files lie: in a folder, in the hub's cache, or on the hub at a pinned revision."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache
from huggingface_hub.utils import httpx

from core.errors import UserError

OMNIPARSER = "microsoft/OmniParser-v2.0"
# Pinned, because TorchScript is code: what is pushed there later is not run unseen.
REVISIONS = {
    OMNIPARSER: "f55d0750e5b94db2125ef0b45b0fa4a85ddc59b4",
    "microsoft/Florence-2-base": "5ca5edf5bd017b9919c05d08aebef5e4c7ac3bac",
}
HUB_PATIENCE = 4.0
"""Seconds in which the hub must answer a first question; huggingface_hub's own retries take half a minute."""

DETECTOR = "icon_detect_v3/model.pt"
DOWNLOAD = (
    f"hf download {OMNIPARSER} icon_detect_v3/model.pt icon_caption/config.json icon_caption/model.safetensors"
    " --local-dir FOLDER && hf download microsoft/Florence-2-base tokenizer.json --local-dir FOLDER/icon_caption"
)
CAPTION_FOLDERS = ("icon_caption", "icon_caption_florence")  # the hub's name, and the one OmniParser's README gives it


@dataclass(frozen=True)
class OmniParserFiles:
    detector: Path
    caption_config: Path
    caption_weights: Path
    tokenizer: Path


def find_files(source: str) -> OmniParserFiles:
    """The files of ``source``: ``microsoft/OmniParser-v2.0`` or a folder laid out as that repository is.

    The caption model's folder has no tokenizer of its own: ``tokenizer.json`` of ``microsoft/Florence-2-base`` is taken
    where none lies beside it. Raises UserError where a file is missing or the hub does not answer.
    """
    if source == OMNIPARSER:
        return OmniParserFiles(
            detector=_from_hub(OMNIPARSER, DETECTOR),
            caption_config=_from_hub(OMNIPARSER, "icon_caption/config.json"),
            caption_weights=_from_hub(OMNIPARSER, "icon_caption/model.safetensors"),
            tokenizer=_from_hub("microsoft/Florence-2-base", "tokenizer.json"),
        )
    folder = Path(source).expanduser()
    if not source or not folder.is_dir():
        raise UserError(
            f"OmniParser's weights are taken from {OMNIPARSER} on the Hugging Face hub or from a local folder, and"
            f" {source!r} is neither. Download them with: {DOWNLOAD}"
        )
    captions = next((folder / name for name in CAPTION_FOLDERS if (folder / name).is_dir()), folder / "icon_caption")
    if not (captions / "model.safetensors").is_file() and (
        pickles := [*captions.glob("*.bin"), *captions.glob("*.pt")]
    ):
        raise UserError(f"{pickles[0]} is a pickle, which can run code when it is read. Put model.safetensors there.")
    tokenizer = captions / "tokenizer.json"
    return OmniParserFiles(
        detector=_present(folder / DETECTOR),
        caption_config=_present(captions / "config.json"),
        caption_weights=_present(captions / "model.safetensors"),
        tokenizer=tokenizer if tokenizer.is_file() else _from_hub("microsoft/Florence-2-base", "tokenizer.json"),
    )


def _present(path: Path) -> Path:
    if not path.is_file():
        raise UserError(f"{path} is missing. Download it with: {DOWNLOAD}")
    return path


def _from_hub(repository: str, name: str) -> Path:
    revision = REVISIONS[repository]
    cached = try_to_load_from_cache(repository, name, revision=revision)
    if isinstance(cached, str):
        return Path(cached)
    try:
        get_hf_file_metadata(hf_hub_url(repository, name, revision=revision), timeout=HUB_PATIENCE)
        return Path(hf_hub_download(repository, name, revision=revision))
    except (httpx.HTTPError, OSError) as error:
        raise UserError(
            f"{name} of {repository} is not in the hub's cache, and the hub did not give it ({type(error).__name__})."
            f" Check the network, or name a folder that was filled elsewhere with: {DOWNLOAD}"
        ) from error
