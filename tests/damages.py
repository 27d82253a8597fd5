"""Other values for the keys of a record, in any of which it may be damaged."""

import copy

OTHERS = [None, True, -1, 1.5, 10**400, float("nan"), float("inf"), "x", "", [], [None], {}, {"nats": "x"}, [[[]]]]


def places(value, path=(), most=None):
    """Every key inside of a value, and of every list so many first indices."""
    items = value.items() if isinstance(value, dict) else enumerate(value[:most]) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key), most)


def changed(value, path, other):
    """The value with another one at a place, or with nothing there."""
    value = copy.deepcopy(value)
    *outer, last = path
    inside = value
    for key in outer:
        inside = inside[key]
    if other is Ellipsis:
        del inside[last]
    else:
        inside[last] = other
    return value
