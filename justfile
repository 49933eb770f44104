# Short names for what developers do. Each recipe is one command; without `just`, run that.

python := ".venv/bin/python"

# list the recipes
default:
    @just --list

# a throw-away vault on http://127.0.0.1:8443
run *args:
    scripts/run {{args}}

# all tests but the long ones; arguments go to pytest
test *args:
    scripts/test {{args}}

# also the tests that take minutes
test-long *args:
    scripts/test -m "long or not long" {{args}}

# style and format
lint:
    .venv/bin/ruff check
    .venv/bin/ruff format --check

# put files into the house format
format:
    .venv/bin/ruff check --fix
    .venv/bin/ruff format

types:
    .venv/bin/mypy

# imports go down
imports:
    .venv/bin/lint-imports

# every benchmark, or those named
bench *args:
    {{python}} -m bench {{args}}

# the page about performance, written anew from the stored results
report *args:
    {{python}} -m bench.report {{args}}

# resolve the locked dependencies anew
lock *args:
    scripts/lock {{args}}

# the reference of commands, endpoints and codes, written anew from the code
reference:
    scripts/docs

# the blocking Python client, written anew from the asynchronous one
sdk *args:
    scripts/sdk {{args}}

# links, settings, decisions and the other promises of the documentation
docs:
    {{python}} -m pytest tests/house

# what must hold before a change lands
check:
    .ci/run
