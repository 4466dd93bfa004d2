"""Errors of the serving room. Each message names the thing, its value, the rule and the remedy."""

from __future__ import annotations


class ServingError(Exception):
    """Base of every error this package raises on purpose."""


class ModelFolderError(ServingError):
    """A model folder is missing, damaged, altered since it was written, or contradicts itself."""


class ProviderError(ServingError):
    """The execution provider that was asked for is not the one that would compute."""


class InferenceError(ServingError):
    """The model gave no usable answer for an input, such as logits that are not finite."""


class ListenError(ServingError):
    """The server cannot listen on the address, or run on the core, that was asked for."""


class InvalidRequest(ServingError):
    """A request breaks a rule of its protocol; sending it again will not help."""


class RequestTooLarge(InvalidRequest):
    """A request asks for more at once than this server allows."""


class UnknownModel(ServingError):
    """The model or version that a request names is not served here."""


class LoadConflict(ServingError):
    """A model cannot take the place of the served one, or another one is about to."""
