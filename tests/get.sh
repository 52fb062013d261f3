# Makes sure that there is what the tests need beside Python: a Chromium to drive, strace to watch the server with, nginx and Redis.
set -eu
PATH="$PATH:/usr/sbin:/usr/local/sbin"

may_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null
}

install() {
    echo "Installing $1 ..."
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq "$1" >/dev/null
}

there_is_one_of() {
    for name in "$@"; do
        if command -v "$name" >/dev/null; then return 0; fi
    done
    return 1
}

# The one that is there, Debian's, or Playwright's own.
if ! there_is_one_of chromium chromium-browser google-chrome; then
    if may_install; then install chromium; else .venv/bin/playwright install chromium; fi
fi
for name in strace nginx redis-server; do
    if there_is_one_of "$name"; then continue; fi
    if may_install; then install "$name"; else echo "A test needs $name, which only root can install (in Debian: apt install $name)."; fi
done
