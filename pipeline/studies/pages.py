"""Render the Markdown pages of `templates/`."""

from jinja2 import Environment, PackageLoader, StrictUndefined

TEMPLATES = Environment(
    loader=PackageLoader("pipeline.studies"), undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False
)


def render_template(name: str, /, **fields: object) -> str:
    """Fill in `templates/<name>.md.j2`."""
    return TEMPLATES.get_template(f"{name}.md.j2").render(**fields)
