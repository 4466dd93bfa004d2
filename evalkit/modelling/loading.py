"""Opening a text classifier from a folder: safetensors only, labels in order."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.disk import written
from evalkit.errors import ModelError
from evalkit.modelling.own_folder import is_own_folder, read_own_folder, refuse_other_function

if TYPE_CHECKING:
    from evalkit.spec.own_code import OwnCode

WEIGHTS_FILE = "model.safetensors"
PICKLED = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextClassifier:
    """A torch model in evaluation mode, its fast tokenizer and its labels in logit order."""

    model: Any
    tokenizer: Any
    labels: tuple[str, ...]


def read_config(folder: Path) -> dict[str, Any]:
    """The folder's config.json. Raises ModelError where it is missing or damaged."""
    path = folder / "config.json"
    if not path.is_file():
        raise ModelError(f"{folder} has no config.json; give a Hugging Face model folder")
    try:
        config: dict[str, Any] = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise ModelError(f"{path} is not valid JSON ({error}); restore the file") from error
    return config


def refuse_pickles(folder: Path) -> None:
    """Pickled weights can run any code when opened: only safetensors are read."""
    if (folder / WEIGHTS_FILE).is_file():
        return
    pickled = sorted(path.name for path in folder.glob("*") if path.suffix in PICKLED)
    if pickled:
        raise ModelError(
            f"{folder} holds pickled weights ({', '.join(pickled)}), which can run code when opened; "
            "convert them to model.safetensors"
        )
    raise ModelError(f"{folder} has no model.safetensors; save the model with save_pretrained()")


def labels_of(config: dict[str, Any], folder: Path) -> tuple[str, ...]:
    """Labels in logit order, from ``id2label``."""
    names = config.get("id2label")
    if not isinstance(names, dict) or len(names) < 2:
        raise ModelError(f"{folder / 'config.json'} has no id2label with two or more labels; add it")
    by_id = {int(key): str(value) for key, value in names.items()}
    if sorted(by_id) != list(range(len(by_id))):
        raise ModelError(f"{folder / 'config.json'}: id2label must number labels 0..{len(by_id) - 1}")
    return tuple(by_id[index] for index in range(len(by_id)))


def check_classifier_folder(folder: Path, function: str | None = None) -> tuple[str, ...]:
    """The labels of a classifier's folder, without importing torch. Raises ModelError.

    ``function`` is the one that gate.yaml names for a torch module of the user's own.
    """
    if not folder.is_dir():
        raise ModelError(f"{folder} is not a folder; give a Hugging Face model folder")
    if is_own_folder(folder):
        own = read_own_folder(folder)
        refuse_other_function(folder, own.function, function)
        labels = own.labels
    else:
        labels = labels_of(read_config(folder), folder)
    refuse_pickles(folder)
    if not (folder / "tokenizer.json").is_file():
        raise ModelError(f"{folder} has no tokenizer.json; save the fast tokenizer beside the model")
    return labels


def load_classifier(folder: Path, attention: str | None = None, code: OwnCode | None = None) -> TextClassifier:
    """Model and tokenizer of a folder made by ``save_pretrained``, or of a torch module of the user's own, which
    ``code`` makes: the function that gate.yaml names, and no other. Raises ModelError.

    ``attention`` "eager" computes attention so that it can be read; by default it is computed as fast as can be.
    """
    if is_own_folder(folder):
        from evalkit.modelling.own_module import load_own

        check_classifier_folder(folder, None if code is None else code.name)
        assert code is not None  # refused otherwise
        return load_own(folder, code)
    from safetensors import SafetensorError
    from transformers import AutoModelForSequenceClassification

    from evalkit.modelling.mean_pooled import MeanPooledClassifier

    labels = check_classifier_folder(folder)
    own = MeanPooledClassifier.__name__ in read_config(folder).get("architectures", [])
    family = MeanPooledClassifier if own else AutoModelForSequenceClassification
    try:
        model, report = family.from_pretrained(
            folder,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
            attn_implementation=attention,
        )
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        raise ModelError(f"{folder} cannot be loaded ({_first_line(error)}); it is truncated or damaged") from error
    if report["missing_keys"]:
        missing = ", ".join(sorted(report["missing_keys"])[:3])
        raise ModelError(f"{folder}/model.safetensors lacks weights of a classifier ({missing}); fine-tune it first")
    return TextClassifier(model=model.eval(), tokenizer=load_tokenizer(folder), labels=labels)


def load_tokenizer(folder: Path) -> Any:
    """The fast tokenizer of a classifier's folder."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def save_classifier(model: Any, tokenizer: Any, folder: Path) -> None:
    """Writes the folder that ``load_classifier`` reads. Raises StageError where the disk does not take it; what lies in
    ``folder`` then is not whole."""
    with written(folder):
        folder.mkdir(parents=True, exist_ok=True)
        model.save_pretrained(folder, safe_serialization=True)
        tokenizer.save_pretrained(folder)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
