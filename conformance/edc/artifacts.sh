# Sourced, or run: where EDC's artifacts are, fetched from Maven Central and compiled once per content, whole or not at all.
#   EDC_CONTROL  class path of a control plane alone
#   EDC_FULL     class path of a control plane and a data plane, with our endpoint for HttpData-PULL
# Run, it prints both.

edc="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
edc_version=()
if [ -n "${EDC_VERSION:-}" ]; then
    edc_version=("-Dedc.version=$EDC_VERSION")
fi
wanted="$(cat "$edc/pom.xml" "$edc/PullEndpoint.java" <(echo "${EDC_VERSION:-}") | sha256sum | cut -c1-16)"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/fondaco/edc-$wanted"
if [ ! -f "$cache/complete" ]; then
    rm -rf "$cache"
    mkdir -p "$cache/extension/META-INF/services"
    maven() {
        (cd "$cache" && mvn --batch-mode --quiet --file "$edc/pom.xml" "${edc_version[@]}" "$@" >&2)
    }
    maven dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$cache/control"
    maven --activate-profiles data-plane dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$cache/full"
    javac -nowarn -proc:none -d "$cache/extension" -cp "$cache/full/*" "$edc/PullEndpoint.java"
    echo PullEndpoint >"$cache/extension/META-INF/services/org.eclipse.edc.spi.system.ServiceExtension"
    touch "$cache/complete"
fi
export EDC_CONTROL="$cache/control/*"
export EDC_FULL="$cache/extension:$cache/full/*"
if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    printf '%s\n%s\n' "$EDC_CONTROL" "$EDC_FULL"
fi
