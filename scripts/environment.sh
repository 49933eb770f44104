# Sourced by the other scripts: finds Python, and brings .venv to what the lock says.
# Bash, strict mode, working directory = top of the checkout.

readonly LOCK=requirements-dev.lock
readonly STAMP=.venv/.installed

# Fails where ScaiVault does not run; else prints microseconds, the least of many tries.
readonly COUNTING='
import sys, time, venv, ensurepip
if sys.version_info < (3, 11): sys.exit(1)
class Count:
    def __init__(self): self.n = {}
    def add(self, name): self.n[name] = self.n.get(name, 0) + 1
def taken():
    began, count = time.perf_counter(), Count()
    for number in range(4000): count.add(f"{number % 50}")
    return time.perf_counter() - began
print(int(min(taken() for _ in range(40)) * 1e6))
'

say() { printf '%s\n' "$*" >&2; }

# Prints the fastest Python that is new enough to run ScaiVault; SCAIVAULT_PYTHON names the only
# one to be considered. One that was compiled without profile-guided optimisation takes half as long
# again for everything, and does not say so: each counts for some milliseconds. An earlier one is
# left only for one that takes less than five sixths of its time.
find_python() {
    local candidates=(python3.13 python3.12 python3.11 python3) everywhere candidate
    local found="" least=0 taken
    [[ -z ${SCAIVAULT_PYTHON:-} ]] || candidates=("$SCAIVAULT_PYTHON")
    mapfile -t everywhere < <(type -aP "${candidates[@]}")
    for candidate in "${everywhere[@]}"; do
        taken=$("$candidate" -c "$COUNTING" 2>/dev/null </dev/null) || continue
        if [[ -z $found ]] || ((6 * taken < 5 * least)); then
            found=$candidate least=$taken
        fi
    done
    if [[ -n $found ]]; then
        printf '%s\n' "$found"
        return 0
    fi
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
