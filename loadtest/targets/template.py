"""Any URL: the request's body is a Jinja template, and a JSON pointer says where the label stands."""

from __future__ import annotations

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from loadtest.errors import InputError
from loadtest.targets.target import Answer, Response, Row, label_at


class TemplateTarget:
    """The template sees ``text`` and the columns of the request's row; ``tojson`` quotes a value.

    Without a pointer every answer of status 200 counts as one, and no label is read from it.

    >>> target = TemplateTarget("/", '{"q": {{ text | tojson }}, "lang": "{{ lang }}"}', "/label")
    >>> target.body('say "hi"', {"lang": "en"})
    '{"q": "say \\\\"hi\\\\"", "lang": "en"}'
    """

    accept = "*/*"
    always_read = False

    def __init__(self, path: str, template: str, pointer: str | None) -> None:
        self.path = path
        self._pointer = pointer
        try:
            # autoescaping is for HTML pages; a body is JSON more often than not
            self._template = SandboxedEnvironment(undefined=StrictUndefined, autoescape=False).from_string(template)
        except TemplateError as error:
            raise InputError(f"the template is no Jinja template: {error}") from error

    def body(self, text: str, row: Row) -> str:
        """Raises InputError where the template names what the row does not have."""
        try:
            return self._template.render({**row, "text": text})
        except (TemplateError, TypeError, ValueError) as error:
            raise InputError(f"the template cannot be filled in: {error}; the row has {', '.join(row)}") from error

    def read(self, response: Response) -> Answer:
        return label_at(response.content, self._pointer) if self._pointer else Answer(True)
