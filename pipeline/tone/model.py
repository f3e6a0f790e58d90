"""A trained classifier as arrays: read from and written to ``.npz`` files that hold no text. numpy is all it needs.

Three linear functions of hashed TF-IDF features (words and letters, each of length 1) and of the numbers of
``pipeline.tone.signals``, made probabilities by a softmax at a temperature that was fitted on texts left out.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from pipeline.tone.features import BLOCK, SIZE, Counted, Floats

FORMAT = 1
STEPS = 127
"""Weights are kept as whole steps of their class's greatest; ``idf`` as steps of IDF_STEP."""
IDF_STEP = 0.06
_ARRAYS = {"idf": np.uint8, "weights": np.int8, "scale": np.float64, "dense": np.float64, "constant": np.float64}


class ModelError(ValueError):
    """A file that is no model of ours, or of another make; the message names the file and what to do."""


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a model's making."""

    lang: str
    seed: int
    texts: int
    """How many labelled texts it was trained on."""
    data: tuple[str, ...]
    """Names of the data sets, without folders."""
    columns: tuple[str, ...]
    """Names of the dense columns."""
    rules: str
    """Digest of the lexicon that made the rule scores."""
    temperature: float = 1.0
    base: str | None = None
    """Version of the model whose logarithmic probabilities are the last three columns."""
    figures: Mapping[str, float] = {}
    """Cross-validated: micro_f1, macro_f1."""
    format: int = FORMAT


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """Weights and what they were made from. ``seen`` holds 32-bit digests of the training texts, sorted."""

    about: About
    idf: npt.NDArray[np.uint8]
    """Steps by bucket; 0 where the bucket says nothing."""
    weights: npt.NDArray[np.int8]
    """(3, SIZE)."""
    scale: Floats
    """(3,): one step of each class."""
    dense: Floats
    """(3, columns)."""
    constant: Floats
    """(3,)."""
    seen: npt.NDArray[np.uint32] = field(default_factory=lambda: np.zeros(0, np.uint32))

    @property
    def version(self) -> str:
        """Eight letters that tell this model from every other."""
        return hashlib.sha256(self.to_bytes()).hexdigest()[:8]

    def probabilities(self, features: Counted, columns: Floats) -> Floats:
        """(texts, 3): negative, neutral, positive; rows sum to 1. ``columns`` is (texts, columns)."""
        logits = (columns @ self.dense.T + self.constant) / self.about.temperature
        value = values(features, self.idf)
        for at in range(3):
            weighted = value * self.weights[at][features.bucket]
            total = np.bincount(features.text, weights=weighted, minlength=features.texts)
            logits[:, at] += total * (self.scale[at] / self.about.temperature)
        return softmax(logits)

    def to_bytes(self) -> bytes:
        """The file's content; equal models give equal bytes."""
        arrays = {name: getattr(self, name) for name in _ARRAYS} | {"seen": self.seen}
        about = np.frombuffer(msgspec.json.encode(self.about, order="sorted"), np.uint8)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, about=about, **arrays)
        return buffer.getvalue()

    def save(self, path: Path) -> None:
        """Write the file anew, whole or not at all."""
        beside = path.with_name(path.name + ".new")
        beside.write_bytes(self.to_bytes())
        beside.replace(path)


def load_model(path: Path) -> Model:
    """The model of a file. Raises ModelError where it cannot be read or was made for other features."""
    try:
        return read_model(path.read_bytes())
    except OSError as error:
        raise ModelError(
            f"{path}: cannot be read ({error.strerror or error}); name a file that `train` wrote"
        ) from error
    except ModelError as error:
        raise ModelError(f"{path}: {error}; make it again with `sturmwarte train`") from error


def read_model(content: bytes) -> Model:
    """As ``load_model``, from the bytes of a file."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            about = msgspec.json.decode(file["about"].tobytes(), type=About)
            arrays: dict[str, Any] = {name: file[name].astype(kind) for name, kind in _ARRAYS.items()}
            model = Model(about=about, seen=file["seen"].astype(np.uint32), **arrays)
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, msgspec.MsgspecError) as error:
        raise ModelError(f"no model of ours ({error})") from error
    _check(model)
    return model


def _check(model: Model) -> None:
    width = len(model.about.columns)
    shapes = {"idf": (SIZE,), "weights": (3, SIZE), "scale": (3,), "dense": (3, width), "constant": (3,)}
    if model.about.format != FORMAT:
        raise ModelError(f"format {model.about.format}, this program reads {FORMAT}")
    for name, shape in shapes.items():
        if getattr(model, name).shape != shape:
            raise ModelError(f"{name} has the shape {getattr(model, name).shape}, not {shape}")
    if not all(np.isfinite(getattr(model, name)).all() for name in ("scale", "dense", "constant")):
        raise ModelError("weights that are no numbers")


def values(features: Counted, idf: npt.NDArray[np.uint8]) -> Floats:
    """TF-IDF with a logarithmic count, words and letters of each text scaled to length 1 (Salton and Buckley 1988)."""
    value = (1 + np.log(features.count)) * (idf[features.bucket] * IDF_STEP)
    half = features.text * 2 + (features.bucket >= BLOCK)
    length = np.sqrt(np.bincount(half, weights=value * value, minlength=2 * features.texts))
    length[length == 0] = 1
    scaled: Floats = value / length[half]
    return scaled


def softmax(logits: Floats) -> Floats:
    """Rows of probabilities."""
    grown = np.exp(logits - logits.max(axis=1, keepdims=True))
    rows: Floats = grown / grown.sum(axis=1, keepdims=True)
    return rows
