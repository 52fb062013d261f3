# Makes sure that there is a Chromium for the tests: the one that is there, Debian's, or Playwright's own.
set -eu
for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null; then exit 0; fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo 'Installing chromium ...'
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq chromium >/dev/null
else
    .venv/bin/playwright install chromium
fi
