"""What an export refuses."""

from evalkit.errors import EvalkitError


class ExportError(EvalkitError):
    """The model may not be exported, or the place or a setting does not allow it."""

    exit_code = 2
