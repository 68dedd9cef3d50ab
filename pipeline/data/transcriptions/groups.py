"""Which lines belong to one writer or document."""

import re

from pipeline.common.errors import InputError


def find_group(pattern: str | None, name: str, default: str) -> str:
    """What the first group of the regular expression `pattern` matches in `name`; `default` without a pattern.

    Raises:
        InputError: the pattern is no regular expression with a group, or does not match.
    """
    if pattern is None:
        return default
    try:
        match = re.search(pattern, name)
        found = match and match.group(1)
    except (re.error, IndexError) as error:
        raise InputError(f"own_lines.….group: {pattern!r} is no regular expression with one group ({error})") from None
    if not found:
        raise InputError(f"own_lines.….group: {pattern!r} matches nothing in {name!r}")
    return found
