#!/bin/sh
# The README's two commands on a new machine: `make test-fresh`, as root, with debootstrap and git.
#
# Builds a Debian tree that has only Python and make, puts a fresh clone into it, and runs there what the README says.
# The tree sees nothing of this machine but its network, and where pip is told to find packages and certificates.
set -eu
suite=${SUITE:-bookworm}
folder=${FOLDER:-/var/tmp/pledgebar-fresh}
tree=$folder/tree
here=$(cd "$(dirname "$0")/.." && pwd)

# --- Inside the tree's own mounts and processes: all of them end with this script ---------------------------------------
if [ "${1:-}" = inside ]; then
    mount -t proc proc "$tree/proc"
    mount --rbind /dev "$tree/dev"
    mount -t tmpfs tmpfs "$tree/run"
    while read -r shared; do
        mkdir -p "$tree$shared"
        mount --bind "$shared" "$tree$shared"
    done <"$folder/shared"
    exec chroot "$tree" sh -eu -c '
        cd /root/pledgebar
        PORT=$(python3 -c "import socket; s = socket.socket(); s.bind((\"127.0.0.1\", 0)); print(s.getsockname()[1])")
        echo "make demo"
        make demo PORT=$PORT >/root/demo.log 2>&1 &
        demo=$!
        tries=0
        until python3 -c "import urllib.request; urllib.request.urlopen(\"http://127.0.0.1:$PORT/healthz\", timeout=5)" 2>/dev/null; do
            tries=$((tries + 1))
            if [ $tries = 300 ] || ! kill -0 $demo; then cat /root/demo.log; exit 1; fi
            sleep 1
        done
        cat /root/demo.log
        kill $demo
        wait $demo || true
        .ci/run
    '
fi

# --- The tree -----------------------------------------------------------------------------------------------------------
mkdir -p "$folder"
if [ ! -f "$folder/$suite.tar" ]; then
    rm -rf "$folder/base"
    debootstrap --variant=minbase --include=python3,python3-venv,make,ca-certificates "$suite" "$folder/base"
    tar -C "$folder/base" -cf "$folder/$suite.part" .
    mv "$folder/$suite.part" "$folder/$suite.tar"
    rm -rf "$folder/base"
fi
rm -rf "$tree"
mkdir "$tree"
tar -C "$tree" -xf "$folder/$suite.tar"
cp /etc/resolv.conf "$tree/etc/resolv.conf"
git clone --quiet "$here" "$tree/root/pledgebar"

# What pip is told here, and the folders on this machine's disk that it names.
: >"$folder/shared"
echo '[global]' >"$tree/etc/pip.conf"
python3 -m pip config list | sed -n "s/^[a-z:]*\.\([a-z-]*\)='\(.*\)'$/\1 = \2/p" | while read -r name _ values; do
    [ "$name" != constraint ] || continue
    echo "$name = $values" >>"$folder/pip"
    for value in $values; do
        case $value in
            file://*) dirname "${value#file://}" >>"$folder/shared" ;;
            /*) if [ -d "$value" ]; then echo "$value" >>"$folder/shared"; else cp "$value" "$tree$value"; fi ;;
        esac
    done
done
if [ -f "$folder/pip" ]; then
    # The last word for each name, as pip has it.
    tac "$folder/pip" | sort -u -k1,1 >>"$tree/etc/pip.conf"
    rm "$folder/pip"
fi
sort -u -o "$folder/shared" "$folder/shared"

kept=$(env | sed -n -E 's/^([a-zA-Z_]*_(proxy|PROXY)|SSL_CERT_FILE|TERM)=.*/\1/p' | tr '\n' ' ')
set -- PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 FOLDER="$folder" SUITE="$suite"
for name in $kept; do set -- "$@" "$name=$(printenv "$name")"; done
exec env -i "$@" unshare --mount --pid --fork --kill-child "$here/tests/fresh.sh" inside
