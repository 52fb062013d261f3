#!/bin/sh
# The README's two commands on a new machine: `make test-fresh`, as root, with debootstrap and git.
set -eu
exec "$(dirname "$0")/tree.sh" sh -eu -c '
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
