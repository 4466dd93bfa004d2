"""How large a Hugging Face model is, from its config.json alone."""

from __future__ import annotations

from pathlib import Path

from evalkit.errors import ModelError


def layers_and_width(folder: Path) -> tuple[int, int]:
    """Encoder layers and hidden width, whatever the family calls them. Raises ModelError where it says neither."""
    from transformers import AutoConfig

    from evalkit.modelling.loading import read_config

    read_config(folder)
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder / 'config.json'} is of no family that transformers knows ({error})") from error
    found = getattr(config, "num_hidden_layers", None), getattr(config, "hidden_size", None)
    if not all(isinstance(each, int) for each in found):
        raise ModelError(f"{folder / 'config.json'} does not say how many layers the model has and how wide they are")
    return int(found[0]), int(found[1])  # type: ignore[arg-type]
