# Makes sure that there is what the tests need beside Python: a Chromium to drive, strace to watch the server with, nginx,
# Redis, and the program of fail2ban that tries a filter on a log.
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
# Only unpacked: installed, it would begin to guard this machine.
if ! there_is_one_of fail2ban-regex && [ ! -e .venv/fail2ban ]; then
    if command -v apt-get >/dev/null; then
        echo "Unpacking fail2ban ..."
        if may_install; then apt-get update -qq; fi
        folder=$(mktemp -d)
        (cd "$folder" && apt-get download -qq fail2ban >/dev/null)
        dpkg-deb -x "$folder"/fail2ban_*.deb .venv/fail2ban
        rm -r "$folder"
    else
        echo "A test needs fail2ban-regex, which this machine's packages may have."
    fi
fi
