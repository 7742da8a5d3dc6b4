"""What `jaxsnn` exports is documented: every class and function, and every method a user can call."""

import inspect

import pytest

import jaxsnn

NAMES = [name for name in jaxsnn.__all__ if not inspect.ismodule(getattr(jaxsnn, name))]


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_has_a_docstring_with_an_example(name):
    text = inspect.getdoc(getattr(jaxsnn, name)) or ""
    assert len(text.splitlines()) > 1
    if inspect.isclass(getattr(jaxsnn, name)) and name != "SpikeRecord":  # made by a run, not by a user
        assert ">>> " in text, "an example that runs"


@pytest.mark.parametrize("name", [name for name in NAMES if inspect.isclass(getattr(jaxsnn, name))])
def test_public_methods_are_documented(name):
    given = getattr(jaxsnn, name)
    for method, value in inspect.getmembers(given):
        if method.startswith("_") or not (inspect.isfunction(value) or isinstance(value, property)):
            continue
        described = value.fget if isinstance(value, property) else value
        assert inspect.getdoc(getattr(given, method)) or inspect.getdoc(described), f"{name}.{method}"


def test_every_exported_name_exists():
    assert len(set(jaxsnn.__all__)) == len(jaxsnn.__all__)
    assert all(hasattr(jaxsnn, name) for name in jaxsnn.__all__)
