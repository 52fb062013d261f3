#!/bin/sh
# Runs a command on a new machine: `tests/tree.sh COMMAND …`, as root, with debootstrap and git.
#
# Builds a Debian tree that has only Python and make, puts a fresh clone into /root/pledgebar, and runs the command there.
# The tree sees nothing of this machine but its network, and where pip is told to find packages and certificates. It is gone
# afterwards; what debootstrap fetched is kept for the next time.
set -eu
suite=${SUITE:-bookworm}
folder=${FOLDER:-/var/tmp/pledgebar-fresh}
here=$(cd "$(dirname "$0")/.." && pwd)

# --- Inside the tree's own mounts and processes: all of them end with the command ---------------------------------------
if [ "${1:-}" = --inside ]; then
    tree=$2
    shift 2
    # A disk of its own, as a machine has, and not a folder of one that cannot be seen.
    mount --rbind "$tree" "$tree"
    mount -t proc proc "$tree/proc"
    mount --rbind /dev "$tree/dev"
    mount -t tmpfs tmpfs "$tree/run"
    while read -r shared; do
        mkdir -p "$tree$shared"
        mount --bind "$shared" "$tree$shared"
    done <"$tree.shared"
    exec chroot "$tree" sh -c 'cd /root/pledgebar && exec "$@"' sh "$@"
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
tree=$(mktemp -d "$folder/tree-XXXXXX")
inside=
finish() {
    # What is the first process in there heeds nothing else; all others end with it.
    [ -z "$inside" ] || kill -KILL "$inside" 2>/dev/null || true
    # Its mounts were not seen from here, so that nothing of this machine is reached through them.
    rm -rf "$tree" "$tree.pip" "$tree.shared"
}
trap finish EXIT
trap 'exit 1' INT TERM
tar -C "$tree" -xf "$folder/$suite.tar"
cp /etc/resolv.conf "$tree/etc/resolv.conf"
git clone --quiet "$here" "$tree/root/pledgebar"

# What pip is told here, and the folders on this machine's disk that it names.
: >"$tree.shared"
echo '[global]' >"$tree/etc/pip.conf"
python3 -m pip config list | sed -n "s/^[a-z:]*\.\([a-z-]*\)='\(.*\)'$/\1 = \2/p" | while read -r name _ values; do
    [ "$name" != constraint ] || continue
    echo "$name = $values" >>"$tree.pip"
    for value in $values; do
        case $value in
            file://*) dirname "${value#file://}" >>"$tree.shared" ;;
            /*) if [ -d "$value" ]; then echo "$value" >>"$tree.shared"; else cp "$value" "$tree$value"; fi ;;
        esac
    done
done
if [ -f "$tree.pip" ]; then
    # The last word for each name, as pip has it.
    tac "$tree.pip" | sort -u -k1,1 >>"$tree/etc/pip.conf"
fi
sort -u -o "$tree.shared" "$tree.shared"

set -- unshare --mount --pid --fork --kill-child "$here/tests/tree.sh" --inside "$tree" "$@"
for name in $(env | sed -n -E 's/^([a-zA-Z_]*_(proxy|PROXY)|SSL_CERT_FILE|NODE_EXTRA_CA_CERTS|TERM)=.*/\1/p'); do
    set -- "$name=$(printenv "$name")" "$@"
done
env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 "$@" &
inside=$!
wait $inside
