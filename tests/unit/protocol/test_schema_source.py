from service.protocol.schema_source import Source


def test_blocks_indent_what_is_in_them() -> None:
    source = Source({})
    with source.block("if a:"):
        source.line("b")
        with source.block("if c:"):
            source.line("d")
    source.line("e")
    assert source.text() == "if a:\n    b\n    if c:\n        d\ne"


def test_one_value_has_one_name_and_two_values_have_two() -> None:
    source = Source({})
    first, second = object(), object()
    name = source.constant(first, "thing")
    assert source.constant(first, "other") == name
    assert source.constant(second, "thing") != name
    assert source.constants[name] is first
