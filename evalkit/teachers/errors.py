"""What stops a labelling run. Each is one line that says what the user can do."""

from evalkit.errors import EvalkitError


class LabellingError(EvalkitError):
    """The API teacher cannot be asked, or its answers cannot be kept. What was answered is kept."""

    exit_code = 2


class KeyMissing(LabellingError):
    """The environment variable that should hold the API's key is empty."""


class KeyRefused(LabellingError):
    """The API does not accept the key (401) or does not let it do this (403)."""


class QuotaExhausted(LabellingError):
    """The account has nothing left; to ask again would not help."""


class ModelUnknown(LabellingError):
    """The API has no such model or no such path (404)."""


class RequestRefused(LabellingError):
    """The API refuses the request as such, for every text alike (400, 422)."""


class BudgetSpent(LabellingError):
    """The next request might exceed the budget."""


class Incomplete(LabellingError):
    """Some texts have no answer yet."""

    exit_code = 4


class TeacherUnreachable(LabellingError):
    """One request after the other fails for good; nobody waits for the rest to fail as well."""

    exit_code = 4


class AnswersUnwritable(LabellingError):
    """The store cannot be written: the disk is full, read-only or broken."""

    exit_code = 4
