"""One small tree of errors. Each message names the thing, the value, the rule and the remedy."""


class EvalkitError(Exception):
    """Anything the gate refuses or fails at; ``exit_code`` is what the command line returns."""

    exit_code = 4


class SpecError(EvalkitError):
    """gate.yaml says something that cannot be asked."""

    exit_code = 2


class DataError(EvalkitError):
    """A table, a label or a subpopulation is not what the spec says it is."""

    exit_code = 2


class ModelError(EvalkitError):
    """A model folder is missing, damaged, unsafe or speaks other labels."""

    exit_code = 2


class InvalidComparison(EvalkitError):
    """Teacher and student cannot be compared, so no verdict of any kind may be given."""

    exit_code = 2


class RunFolderError(EvalkitError):
    """The run folder belongs to another spec or another process."""

    exit_code = 2


class StageError(EvalkitError):
    """A stage of the gate itself broke."""

    exit_code = 4
