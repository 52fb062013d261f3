"""WordPress from Debian's package with a site of its own, run by PHP's own server, and the people who work there."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hosts.conftest import HOSTS, Database, running
from playwright.sync_api import Browser, Page
from ports import free_port

PASSWORD = "a long password for tests"
STORY = (
    "<!-- wp:paragraph --><p>The ferry across the harbour will run again from Monday, the port authority said on Thursday,"
    " after eleven weeks in dock. Commuters had to take the long way round.</p><!-- /wp:paragraph -->"
)
SETTINGS = """<?php
define( 'DB_NAME', '{name}' ); define( 'DB_USER', 'site' ); define( 'DB_PASSWORD', 'site' );
define( 'DB_HOST', '127.0.0.1:{port}' );
define( 'DB_CHARSET', 'utf8mb4' ); define( 'DB_COLLATE', '' );
define( 'WP_HOME', '{url}' ); define( 'WP_SITEURL', '{url}' );
define( 'WP_DEBUG', true ); define( 'WP_DEBUG_DISPLAY', false ); define( 'WP_DEBUG_LOG', '{log}' );
define( 'FS_METHOD', 'direct' ); define( 'DISABLE_WP_CRON', true ); define( 'AUTOMATIC_UPDATER_DISABLED', true );
// Nobody beyond this machine is asked for anything.
define( 'WP_HTTP_BLOCK_EXTERNAL', true ); define( 'WP_ACCESSIBLE_HOSTS', '127.0.0.1' );
foreach ( array( 'AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE' ) as $one ) {{
	define( $one . '_KEY', "for tests $one" ); define( $one . '_SALT', "for tests, too: $one" );
}}
$table_prefix = 'wp_';
if ( ! defined( 'ABSPATH' ) ) {{ define( 'ABSPATH', __DIR__ . '/' ); }}
require_once ABSPATH . 'wp-settings.php';
"""
# WordPress asks only the usual ports of others for oEmbed; the demo has another one.
ANY_PORT = (
    "<?php add_filter( 'http_allowed_safe_ports', function ( $ports ) { return array_merge( $ports, array( %s ) ); } );"
)
# PHP's own server knows no rewriting: what is no file is WordPress's to answer.
ROUTER = """<?php
$file = __DIR__ . parse_url( $_SERVER['REQUEST_URI'], PHP_URL_PATH );
$is_below = strlen( $file ) > strlen( __DIR__ ) + 1;
if ( $is_below && is_dir( $file ) && is_file( rtrim( $file, '/' ) . '/index.php' ) ) { return false; }
if ( is_file( $file ) ) { return false; }
$_SERVER['SCRIPT_NAME'] = '/index.php';
require __DIR__ . '/index.php';
"""


@dataclass
class WordPress:
    """A site at `url`. Whoever is named `admin`, `editor` or `author` has that role."""

    url: str
    folder: Path
    log: Path

    def php(self, code: str, *, user: str = "admin") -> Any:
        """What some PHP returns that is run within WordPress by one of its people, as JSON."""
        script = (
            f"$_SERVER['HTTP_HOST'] = '{self.url.removeprefix('http://')}'; require '{self.folder}/wp-load.php';"
            f"$person = get_user_by( 'login', '{user}' ); wp_set_current_user( $person ? $person->ID : 0 );"
            f'echo "\\n@@" . json_encode( ( function () {{ {code} }} )() );'
        )
        done = subprocess.run(["php8.2", "-r", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return json.loads(done.stdout.rsplit("@@", 1)[1])

    def writes(self, content: str, *, user: str = "author", **more: str) -> str:
        """Somebody publishes a post with that content, which is cleaned as their role demands. Returns its address."""
        fields = {"post_title": "The ferry", "post_content": content, "post_status": "publish"} | more
        made = f"wp_insert_post( wp_slash( json_decode( {php_string(json.dumps(fields))}, true ) ), true )"
        return str(self.php(f"return get_permalink( {made} );", user=user))

    def stored(self, address: str) -> str:
        return str(self.php(f"return get_post( url_to_postid( '{address}' ) )->post_content;"))

    def number(self, address: str) -> str:
        return str(self.php(f"return url_to_postid( '{address}' );"))

    def wears(self, theme: str) -> None:
        self.php(f"switch_theme( '{theme}' ); return get_stylesheet();")

    def complaints(self) -> list[str]:
        """What PHP has to say against the plugin."""
        lines = self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []
        return [line for line in lines if "pledgebar" in line.lower()]

    def signs_in(self, browser: Browser, user: str) -> Page:
        page = browser.new_context(viewport={"width": 1280, "height": 1000}, accept_downloads=True).new_page()
        page.set_default_timeout(30_000)
        page.goto(f"{self.url}/wp-login.php")
        page.get_by_label("Username or Email Address").fill(user)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Log In").click()
        page.wait_for_url("**/wp-admin/**")
        return page


def php_string(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


@contextmanager
def wordpress(folder: Path, database: Database, demo_url: str, name: str = "wordpress") -> Iterator[WordPress]:
    site, port = folder / "site", free_port()
    made = WordPress(f"http://127.0.0.1:{port}", site, folder / "debug.log")
    shutil.copytree(HOSTS / "wordpress" / "root" / "usr" / "share" / "wordpress", site)
    (site / "wp-config.php").write_text(
        SETTINGS.format(name=name, port=database.port, url=made.url, log=made.log), encoding="utf-8"
    )
    (site / "wp-content" / "mu-plugins").mkdir()
    (site / "wp-content" / "mu-plugins" / "any-port.php").write_text(ANY_PORT % demo_url.rsplit(":", 1)[1])
    (site / "router.php").write_text(ROUTER)
    database.creates(name)
    install = (
        f"define( 'WP_INSTALLING', true ); $_SERVER['HTTP_HOST'] = '127.0.0.1:{port}'; require '{site}/wp-load.php';"
        "require ABSPATH . 'wp-admin/includes/upgrade.php';"
        f"wp_install( 'The Courier', 'admin', 'admin@courier.example', true, '', '{PASSWORD}' );"
    )
    done = subprocess.run(["php8.2", "-r", install], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    command = [
        "php8.2",
        "-d",
        "memory_limit=256M",
        "-S",
        f"127.0.0.1:{port}",
        "-t",
        str(site),
        str(site / "router.php"),
    ]
    with running(command, port, folder / "php.log", env={"PHP_CLI_SERVER_WORKERS": "4", "PATH": "/usr/bin:/bin"}):
        for role in ("editor", "author", "contributor"):
            made.php(
                f"return wp_insert_user( array( 'user_login' => '{role}', 'user_pass' => '{PASSWORD}',"
                f" 'user_email' => '{role}@courier.example', 'role' => '{role}' ) );"
            )
        made.php(
            "global $wp_rewrite; $wp_rewrite->set_permalink_structure( '/%postname%/' ); flush_rewrite_rules(); return 1;"
        )
        yield made
