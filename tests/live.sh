#!/bin/sh
# The README's way to a live server, on a new machine: `make test-live`, as root, with debootstrap and git.
#
# Follows “Going live” to the letter, gives as readers do, and then makes one mistake after the other: the doctor must be
# content at the end of the way, name each mistake, and be content again once it is mended as it says. Three things are not as
# on a server. A stand-in is asked for Stripe; a certificate of our own is where certbot would have put one; and no systemd
# runs, so the unit's own command is run by hand. But for what is installed, nothing reaches any network.
set -eu
export DEBIAN_FRONTEND=noninteractive
name=give.example.org
instance=/var/lib/pledgebar
stripe=http://127.0.0.1:12111

case ${1:-} in
'')
    exec "$(dirname "$0")/tree.sh" tests/live.sh install
    ;;
install)
    # Debian starts nginx when it is installed, which here would be in front of this machine's network.
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
    # What is indented under “Going live”, as it stands; settings are written after the first part.
    sed -n '/^## Going live/,/^## Read on/s/^    //p' README.md >/root/way
    sed '/^tracker init/q' /root/way >/root/way-1
    sed '1,/^tracker init/d' /root/way >/root/way-2
    set -v
    . /root/way-1
    # For what follows, and what servers have: who asks from many addresses, what ends programs, and what knows units.
    apt-get install -y curl procps systemd >/dev/null
    set +v
    exec unshare --net --uts tests/live.sh there
    ;;
esac

# --- The machine ------------------------------------------------------------------------------------------------------

ip link set lo up
hostname server
echo "127.0.0.1 localhost $name" >/etc/hosts
# As on a server, where nothing names a file of certificates but the system itself.
unset SSL_CERT_FILE
eval "$(grep '^tracker()' /root/way)"

fail() {
    echo "FAILED: $*"
    exit 1
}

# Tries a command every second until it is done well, for half a minute.
soon() {
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ $tries -lt 30 ] || return 1
        sleep 1
    done
}

certbot() {
    folder=/etc/letsencrypt/live/$name
    authority=/usr/local/share/ca-certificates/own.crt
    mkdir -p $folder
    openssl req -newkey rsa:2048 -nodes -subj "/CN=$name" -keyout $folder/privkey.pem -out /root/request 2>/dev/null
    echo "subjectAltName=DNS:$name" >/root/names
    openssl x509 -req -in /root/request -CA $authority -CAkey /root/authority.key -days 30 -extfile /root/names \
        -out $folder/fullchain.pem 2>/dev/null
    # Asks for the file as Let's Encrypt would, and then does what is to be done after every renewal.
    while [ $# -gt 0 ]; do
        case $1 in
        -w) mkdir -p "$2/.well-known/acme-challenge" && echo known >"$2/.well-known/acme-challenge/asked" ;;
        --deploy-hook) hook=$2 ;;
        esac
        shift
    done
    [ "$(curl -sS "http://$name/.well-known/acme-challenge/asked")" = known ] || fail "Let's Encrypt would find nothing"
    eval "$hook"
}

systemctl() {
    case $* in
    'enable --now pledgebar') systemd-analyze verify /etc/systemd/system/pledgebar.service && start ;;
    'reload nginx') nginx -t -q && nginx -s reload ;;
    *) fail "systemctl $*" ;;
    esac
}

unit() {
    sed -n "s/^$1=//p" /etc/systemd/system/pledgebar.service
}

# Runs what the unit says, as whom and with what it says.
begin() {
    (
        umask "$(unit UMask)"
        exec setpriv --reuid "$(unit User)" --regid "$(unit Group)" --init-groups --no-new-privs --bounding-set=-all \
            env -i PATH="$PATH" $(unit Environment) $(unit ExecStart) >>/root/log 2>&1 </dev/null
    ) &
    main=$!
}

start() {
    begin
    soon curl -sSf -o /root/answer http://127.0.0.1:5000/readyz 2>/root/trouble || fail "the server does not start"
}

stop() {
    kill $main
    wait $main || true
}

again() {
    stop
    start
}

# As somebody does it in an editor: a line of tracker.env.
set_to() {
    sed -i "s|^#*$1=.*|$1=$2|" $instance/tracker.env
}

front() {
    sed "$1" docs/nginx.conf >/etc/nginx/conf.d/pledgebar.conf
    systemctl reload nginx
}

# --- The README's way -------------------------------------------------------------------------------------------------

openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj '/CN=Own authority' -addext basicConstraints=critical,CA:TRUE \
    -keyout /root/authority.key -out /usr/local/share/ca-certificates/own.crt 2>/dev/null
update-ca-certificates >/root/trouble 2>&1
nginx
REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt runuser -u pledgebar -- /opt/pledgebar/bin/tracker sandbox >/root/stripe 2>&1 &
soon grep -q 'The stand-in for Stripe' /root/stripe

# As if the way had been gone some hours ago, so that a gift can have been lost since.
lever() {
    curl -sSf -H 'Content-Type: application/json' -d "$2" -o /root/answer "$stripe/_control/$1"
}
lever clock "{\"now\": $(($(date +%s) - 7200))}"

set_to TRACKER_PUBLIC_URL https://$name
set_to TRACKER_NEWSROOM 'The Courier'
set_to TRACKER_CONTACT members@example.org
set_to STRIPE_SECRET_KEY sk_test_1
set_to STRIPE_API_BASE $stripe
echo 'a password of some length' >/root/password
set -v
. /root/way-2 </root/password
set +v
lever clock '{"now": null}'

# --- As readers do ----------------------------------------------------------------------------------------------------

# Clicks on Give, from an address; says the status and where it leads.
click() {
    token=$(curl -sS --interface "$1" "https://$name/c/newsroom" | sed -n 's/.*name="token"[^>]*value="\([^"]*\)".*/\1/p' | head -1)
    # A form that is sent within a second is shown once more.
    sleep 1.1
    curl -sS --interface "$1" --data-urlencode "token=$token" -d frequency=once -d tier_once=2500 -D /root/headers \
        -o /root/answer -w '%{http_code} %{redirect_url}' "https://$name/c/newsroom/give"
}

gives() {
    leads=$(click "$1")
    [ "${leads%% *}" = 303 ] || fail "a click on Give from $1: $leads"
    lever pay "{\"session\": \"${leads##*/}\", \"email\": \"reader@example.org\"}"
}

bar_says() {
    curl -sS "https://$name/embed/newsroom.json" | grep -q "\"raised\":$1,"
}

for last in $(seq 20); do gives 127.0.1.$last; done
soon bar_says 50000 || fail "twenty gifts of 25 do not show"
echo 'Twenty readers gave 25 each, and the bar says 500.'

for _ in 1 2 3 4 5; do gives 127.0.2.1; done
[ "$(click 127.0.2.1)" = '429 ' ] || fail "a sixth click is not refused"
grep -q 'Please try again in 10 minutes' /root/answer || fail "a sixth click is told nothing"
[ "$(click 127.0.2.2 | cut -c-3)" = 303 ] || fail "one reader's limit is another's"
set_to TRACKER_GIVE_LIMIT '5 per minute'
again
for _ in 1 2 3 4 5; do gives 127.0.2.3; done
[ "$(click 127.0.2.3)" = '429 ' ] || fail "a sixth click is not refused"
# In whole minutes, rounded up.
wait=$(tr -d '\r' </root/headers | sed -n 's/^retry-after: //p')
[ "$wait" = 60 ] || fail "a sixth click within a minute is told to wait $wait seconds"
sleep 60
[ "$(click 127.0.2.3 | cut -c-3)" = 303 ] || fail "a click is refused after the time that was told"
set_to TRACKER_GIVE_LIMIT '5 per 10 minutes; 20 per day'
again
soon bar_says 75000 || fail "thirty gifts of 25 do not show"
echo 'A sixth click is refused until the time that it is told, and nobody else is.'

[ "$(curl -sS -o /root/answer -w '%{http_code} %{redirect_url}' "http://$name/c/newsroom?amount=5")" = "301 https://$name/c/newsroom?amount=5" ] ||
    fail "http does not lead to https"
[ "$(curl -sS -o /root/answer -w '%{http_code}' -H 'Host: evil.example' "https://$name/c/newsroom")" = 400 ] ||
    fail "another host is not refused"
echo 'http leads to https, and another host is refused.'

serial() {
    openssl s_client -connect $name:443 -servername $name </dev/null 2>/dev/null | openssl x509 -noout -serial
}
before=$(serial)
eval "$(grep '^certbot' /root/way)"
differs() {
    [ "$(serial)" != "$before" ]
}
soon differs || fail "a renewed certificate is not served"
echo 'A renewed certificate is served.'

! grep '"level": "error"' /root/log || fail "the log has errors"

install -d -o pledgebar -m 700 /backup
tracker backup /backup/pledgebar-2021-05-14 >/root/trouble
eval "$(sed -n '/^Try it once a quarter/,/^## /s/^    //p' docs/backup.md)" >/root/trouble
echo 'A copy can be put back elsewhere.'

# --- One mistake after the other --------------------------------------------------------------------------------------

mistake() {
    echo
    echo "$*"
}

# The doctor is red, and has a line of that level and name with these words.
red() {
    named="^$1 +$2: .*$3"
    soon doctor_says || {
        cat /root/said
        fail "the doctor does not say “$1 $2: $3”"
    }
    grep -E "$named" /root/said
}

doctor_says() {
    ! tracker doctor --strict >/root/said 2>&1 && grep -qE "$named" /root/said
}

green() {
    soon content || {
        cat /root/said
        fail "the doctor is not content again"
    }
}

content() {
    tracker doctor --strict >/root/said 2>&1
}

green
cp -p $instance/tracker.env /root/tracker.env
settings_as_before() {
    cat /root/tracker.env >$instance/tracker.env
}

mistake "A wrong signing secret, and a server that has read it anew without stopping."
set_to STRIPE_WEBHOOK_SECRET whsec_of_another_endpoint
MAINPID=$main sh -c "$(unit ExecReload)"
sleep 3
gives 127.0.3.1
red error refused-webhooks "Copy the endpoint's signing secret from Stripe into STRIPE_WEBHOOK_SECRET"
settings_as_before
MAINPID=$main sh -c "$(unit ExecReload)"
sleep 3
lever due '{}'
green
soon bar_says 77500 || fail "what was refused did not come again"

mistake "Events that never came: the endpoint was switched off for a while."
endpoint=$(curl -sS -u sk_test_1: "$stripe/v1/webhook_endpoints" | grep -o 'we_[A-Za-z0-9]*' | head -1)
switch() {
    curl -sSf -u sk_test_1: -d "$2" -o /root/answer "$stripe/v1/webhook_endpoints/$1"
}
switch "$endpoint" disabled=true
red error endpoint 'switched off at Stripe: switch it on there'
lever clock "{\"now\": $(($(date +%s) - 3600))}"
gives 127.0.3.2
lever clock '{"now": null}'
switch "$endpoint" disabled=false
red error undelivered-events 'Gifts or refunds are missing: run “tracker sync --since'
# As the doctor says.
eval "$(sed -n 's/.*run “\(tracker sync[^”]*\)”.*/\1/p' /root/said)" >/root/trouble
green
soon bar_says 80000 || fail "what never came was not asked for"

mistake "An endpoint that was left on at an old address."
runuser -u pledgebar -- env TRACKER_INSTANCE=$instance TRACKER_PUBLIC_URL=https://old.example.org \
    /opt/pledgebar/bin/tracker webhook register >/root/trouble
old=$(sed -n 's/.* as \(we_[A-Za-z0-9]*\),.*/\1/p' /root/trouble)
settings_as_before
red warning old-endpoint "old.example.org/webhooks/stripe .$old.*: if that was this installation, switch it off at Stripe"
switch "$old" disabled=true
green

mistake "The database is root's, as after a command that was run as root."
stop
chown root:root $instance/pledgebar.sqlite3
red error file-owner 'run chown'
eval "$(sed -n 's/.*run \(chown .*\)/\1/p' /root/said)"
start
green

mistake "A database that may not be written."
stop
chmod 400 $instance/pledgebar.sqlite3
begin
red error database-file "run chmod 600 $instance/pledgebar.sqlite3"
red error database-write 'No gift can be written'
red error server 'cannot work: The database takes no writes'
chmod 600 $instance/pledgebar.sqlite3
again
green

mistake "nginx is not running."
nginx -s stop
red error server 'nobody listens there'
nginx
green

mistake "Something else answers at the public address."
front 's|^    location / {|    location / { return 200 hello;|'
red error server 'something else answers: check TRACKER_PUBLIC_URL and the proxy in front'
front ''
green

mistake "A certificate that nobody trusts."
cp -rp /etc/letsencrypt/live/$name /root/good
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=$name" -keyout /etc/letsencrypt/live/$name/privkey.pem \
    -out /etc/letsencrypt/live/$name/fullchain.pem 2>/dev/null
systemctl reload nginx
red error server 'its certificate is not trusted .*Get a new one, and reload the proxy'
cp /root/good/* /etc/letsencrypt/live/$name/
systemctl reload nginx
green

mistake "The server is not running."
stop
red error server 'the proxy is there, and Pledgebar behind it is not'
start
green

mistake "A new database, without a campaign and without anybody who may sign in."
set_to TRACKER_DATABASE_URL sqlite:///new.sqlite3
tracker init >/root/trouble
again
red error campaigns 'run “tracker campaign set”'
red warning accounts 'run “tracker admin create”'
settings_as_before
again
green

mistake "Nobody to write to."
set_to TRACKER_CONTACT ''
again
red warning contact 'set TRACKER_CONTACT'
settings_as_before
red warning server-settings 'restart it, or send it a HUP'
again
green

mistake "Another node with another secret key."
setpriv --reuid pledgebar --regid pledgebar --init-groups env TRACKER_SECRET_KEY=another-key-of-more-than-thirty-two-letters \
    $(unit Environment) $(unit ExecStart) --port 5001 >/root/trouble 2>&1 </dev/null &
other=$!
red error nodes 'Processes on server have a different secret key from this one: give all the same TRACKER_SECRET_KEY'
front 's|^    server 127.0.0.1:5000.*|    server 127.0.0.1:5001;|'
red error server 'a Pledgebar with another secret key answers: give all nodes the same TRACKER_SECRET_KEY'
front ''
kill $other
wait $other || true
green

mistake "A proxy too many, and settings that say so."
front 's|X-Forwarded-For \$remote_addr|X-Forwarded-For "$remote_addr, 10.0.0.1"|'
red error proxies 'Set TRACKER_PROXIES=2'
set_to TRACKER_PROXIES 2
again
green
front ''
red error proxies 'Set TRACKER_PROXIES=1'
set_to TRACKER_PROXIES 1
again
green
set_to TRACKER_PROXIES 0
again
red error proxies 'Set TRACKER_PROXIES=1'
settings_as_before
again
green

mistake "A proxy that does not say who asks."
front 's|X-Forwarded-For \$remote_addr|X-Forwarded-For ""|'
red error proxies 'have it set X-Forwarded-For'
front ''
green

mistake "A proxy that passes its own name on."
front 's|Host \$host|Host \$proxy_host|'
red error hosts 'passes on a different Host header'
front ''
green

mistake "Little room on the disk."
stop
mount -t tmpfs -o size=150m,mode=700,uid="$(id -u pledgebar)",gid="$(id -g pledgebar)" tmpfs /mnt
cp -rp $instance/. /mnt
mount --move /mnt $instance
start
red error disk-space 'soon no gift can be written'
mount -o remount,size=600m $instance
red warning disk-space 'make room'
stop
umount $instance
start
green

mistake "Files that anybody on the machine can read."
chmod 644 $instance/tracker.env
red error secret-files "run chmod 600 $instance/tracker.env"
chmod 600 $instance/tracker.env
chmod 755 $instance
red warning instance-folder "run chmod 700 $instance"
chmod 700 $instance
green

mistake "A setting that is misspelt, in the file and in the environment."
misspelt() {
    ! "$@" >/root/said 2>&1 && grep 'did you mean TRACKER_CONTACT?' /root/said || fail "a misspelt setting is not noticed"
}
echo TRACKER_CONTCT=members@example.org >>$instance/tracker.env
misspelt tracker doctor
settings_as_before
misspelt runuser -u pledgebar -- env TRACKER_INSTANCE=$instance TRACKER_CONTCT=x /opt/pledgebar/bin/tracker doctor
green

echo 'The README leads to a live server, and the doctor names every mistake.'
