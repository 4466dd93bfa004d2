"""Texts of an export, from the templates of this package."""

from __future__ import annotations

from typing import Any


def rendered(template: str, **values: Any) -> str:
    """A template of ``templates/`` with its values; a value that is missing is an error."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("evalkit.export_server"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    return environment.get_template(template).render(**values)
