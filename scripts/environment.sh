# Sourced by the other scripts: finds Python, and brings .venv to what the lock says.
# Bash, strict mode, working directory = top of the checkout.

readonly LOCK=requirements-dev.lock
readonly STAMP=.venv/.installed

say() { printf '%s\n' "$*" >&2; }

# Prints the first Python that is new enough to run ScaiVault; SCAIVAULT_PYTHON names the only one
# to be considered.
find_python() {
    local candidates=(python3.13 python3.12 python3.11 python3) candidate
    [[ -z ${SCAIVAULT_PYTHON:-} ]] || candidates=("$SCAIVAULT_PYTHON")
    for candidate in "${candidates[@]}"; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
            >/dev/null 2>&1 </dev/null; then
            printf '%s\n' "$candidate"
            return 0
        fi
    done
    say "ScaiVault needs Python 3.11 or newer with the venv module; tried: ${candidates[*]}."
    say "Debian and Ubuntu: apt-get install python3 python3-venv. Or name one in SCAIVAULT_PYTHON."
    return 1
}

# What .venv was made of. Changes when a lock, the package definition or the checkout's place does.
fingerprint() {
    { pwd; cat "$LOCK" pyproject.toml; } | sha256sum
}

# Makes or refreshes .venv. Only wheels whose hashes are in the lock are installed, so that no
# package's build code runs; the project itself is linked in place and brings no others.
prepare() {
    local wanted
    wanted=$(fingerprint)
    if [[ -x .venv/bin/scaivault && -f $STAMP && $(<"$STAMP") == "$wanted" ]]; then
        return 0
    fi
    local python
    python=$(find_python)
    say "preparing .venv with $python (once, and again when the lock changes)"
    [[ -x .venv/bin/python ]] || "$python" -m venv .venv
    local pip=(.venv/bin/python -m pip --disable-pip-version-check --no-input)
    "${pip[@]}" install --quiet --require-hashes --only-binary :all: --requirement "$LOCK" >&2 </dev/null
    "${pip[@]}" install --quiet --no-deps --no-build-isolation --editable . >&2 </dev/null
    printf '%s\n' "$wanted" >"$STAMP"
}
