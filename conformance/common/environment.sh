# Sourced by each suite's `run`: FONDACO, the program to test, and a Python environment with the suite's requirements.
#   FONDACO  the program to test (default: a release build of this tree)
#   KEEP     keep the working folder

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$root/target}"
if [ -z "${FONDACO:-}" ]; then
    (cd "$root" && cargo build --release --locked --package fondaco-node --bin fondaco)
    FONDACO="$CARGO_TARGET_DIR/release/fondaco"
fi
FONDACO="$(realpath "$FONDACO")"
export FONDACO

# python_with FILE: sets $python to one that has the requirements in FILE; made once per content, whole or not at all.
python_with() {
    local wanted venv
    wanted="$(sha256sum "$1" | cut -c1-16)"
    venv="${XDG_CACHE_HOME:-$HOME/.cache}/fondaco/conformance-$wanted"
    if [ ! -f "$venv/complete" ]; then
        rm -rf "$venv"
        python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet --requirement "$1"
        touch "$venv/complete"
    fi
    python="$venv/bin/python"
    export PYTHONPATH="$root/conformance/common"
}
