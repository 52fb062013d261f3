"""Settings: read from two places, checked at the start, and refused in a sentence that names what to mend."""

import stat
from pathlib import Path
from urllib.parse import quote

import pytest
from actors import each
from commands import run_command
from sqlalchemy import create_engine, make_url
from sqlalchemy.exc import SQLAlchemyError

from tracker.ledger import database_errors
from tracker.paths import default_instance
from tracker.settings import NAMES, SETTINGS, STRIPE_CHECKOUT, Settings, SettingsError, make_secret_key, read_settings

LONG = "a secret that is long enough to keep one"


def read(instance: Path, **environ: str) -> Settings:
    return read_settings({"TRACKER_INSTANCE": str(instance)} | environ)


def written(instance: Path, text: str | bytes, name: str = "tracker.env") -> Path:
    (instance / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return instance


def refusal(instance: Path, **environ: str) -> str:
    with pytest.raises(SettingsError) as caught:
        read(instance, **environ)
    said = str(caught.value)
    assert said.endswith((".", "?"))
    return said


# --- Defaults ---------------------------------------------------------------------------------------------------------


def test_with_nothing_set_everything_has_its_default(tmp_path: Path) -> None:
    found = read(tmp_path)
    assert found.database_url == f"sqlite:///{tmp_path}/pledgebar.sqlite3"
    assert found.public_url == "http://127.0.0.1:5000"
    assert found.give_limit == "5 per 10 minutes; 20 per day"
    assert found.limits_url == "memory://"
    assert found.checkout_origins == STRIPE_CHECKOUT
    assert (found.stripe_secret_key, found.stripe_webhook_secrets, found.secret_key) == ("", (), "")
    assert not found.live
    assert not found.secure


def test_without_a_folder_named_the_owners_usual_one_is_meant() -> None:
    assert read_settings({}).instance == default_instance()


@each("name", ["TRACKER_PRIVACY_URL", "TRACKER_IMPRINT_URL"])
def test_a_link_is_the_address_of_a_page(tmp_path: Path, name: str) -> None:
    found = read(tmp_path, **{name: "https://example.org/privacy?lang=en#cookies"})
    assert "https://example.org/privacy?lang=en#cookies" in (found.privacy_url, found.imprint_url)
    for wrong in (
        "example.org/privacy",
        "javascript:alert(1)",
        "https://",
        "https://user@example.org/",
        "https://a b/",
    ):
        assert name in refusal(tmp_path, **{name: wrong})


def test_every_setting_has_a_name_of_its_own_and_a_line_of_help() -> None:
    assert len(set(NAMES)) == len(NAMES)
    for setting in SETTINGS:
        assert setting.name.startswith(("TRACKER_", "STRIPE_"))
        assert setting.help.endswith(".")


def test_an_empty_setting_means_its_default(tmp_path: Path) -> None:
    found = read(tmp_path, **{name: " " for name in NAMES if name != "TRACKER_INSTANCE"})
    assert found == read(tmp_path)


# --- Two places -------------------------------------------------------------------------------------------------------


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    written(tmp_path, "TRACKER_NEWSROOM=From the file\nTRACKER_PROXIES=2\n")
    found = read(tmp_path, TRACKER_NEWSROOM="From the environment")
    assert found.newsroom == "From the environment"
    assert found.proxies == 2


def test_the_file_is_read_as_people_write_it(tmp_path: Path) -> None:
    text = (
        "# The newsroom\r\n\r\n  # indented\r\nTRACKER_NEWSROOM = \"The Courier\"\r\nexport TRACKER_PROXIES='1'\r\n"
        f"TRACKER_SECRET_KEY={LONG}=with=equals#and-more\nTRACKER_CONTACT=\"\nTRACKER_EMBED_ON=''\n"
    )
    with pytest.raises(SettingsError, match="TRACKER_CONTACT"):
        read(written(tmp_path, text))
    found = read(written(tmp_path, text.replace('TRACKER_CONTACT="', "TRACKER_CONTACT=hello@example.org")))
    assert found.newsroom == "The Courier"
    assert found.proxies == 1
    assert found.secret_key == f"{LONG}=with=equals#and-more"
    assert found.embed_on == "*"


def test_only_a_pair_of_quotes_is_taken_off(tmp_path: Path) -> None:
    for text, name in (
        ("'A'", "A"),
        ('"A"', "A"),
        ("'A\"", "'A\""),
        ("''A''", "'A'"),
        ("A'", "A'"),
        ("'", "'"),
        ("Ä", "Ä"),
    ):
        assert read(written(tmp_path, f"TRACKER_NEWSROOM={text}")).newsroom == name


def test_the_mark_that_some_editors_put_first_does_no_harm(tmp_path: Path) -> None:
    assert read(written(tmp_path, b"\xef\xbb\xbfTRACKER_NEWSROOM=A\n")).newsroom == "A"


def test_a_misspelt_setting_is_named_with_the_one_that_was_meant(tmp_path: Path) -> None:
    said = refusal(written(tmp_path, "TRACKER_PUBLC_URL=https://give.example.org"))
    assert "TRACKER_PUBLC_URL" in said
    assert said.endswith("did you mean TRACKER_PUBLIC_URL?")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("TRACKER_PUBLC_URL", "TRACKER_PUBLIC_URL"), ("TRACKER_PROXY", "TRACKER_PROXIES"),
        ("TRACKER_DATABASE", "TRACKER_DATABASE_URL"), ("TRACKER_HOST", "TRACKER_HOSTS"),
        ("STRIPE_SECRETKEY", "STRIPE_SECRET_KEY"), ("STRIPE_SECRET_KEYS", "STRIPE_SECRET_KEY"),
        ("STRIPE_WEBHOOK_SECRETS", "STRIPE_WEBHOOK_SECRET"), ("STRIPE_WEBHOOKS_SECRET", "STRIPE_WEBHOOK_SECRET"),
    ],
)  # fmt: skip
def test_a_misspelt_name_in_the_environment_stops_the_start(tmp_path: Path, name: str, meant: str) -> None:
    assert refusal(tmp_path, **{name: "x"}) == f"{name} in the environment is not a setting: did you mean {meant}?"


@pytest.mark.parametrize(
    "name",
    [
        "STRIPE_LOG", "STRIPE_API_KEY", "STRIPE_PUBLISHABLE_KEY", "STRIPE_ACCOUNT", "STRIPE_CLI_TELEMETRY_OPTOUT",
        "STRIPE_DEVICE_NAME", "STRIPE_SECRET_KEY_TEST", "STRIPE_PRICE_ID",
        # What Kubernetes and Docker make of a service that is called “tracker”.
        "TRACKER_SERVICE_HOST", "TRACKER_SERVICE_PORT", "TRACKER_PORT", "TRACKER_PORT_5000_TCP", "TRACKER_PORT_5000_TCP_ADDR",
        "TRACKER_PORT_5000_TCP_PROTO", "MY_TRACKER_PUBLC_URL", "PATH",
    ],
)  # fmt: skip
def test_a_name_of_another_program_in_the_environment_stops_nothing(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, **{name: "x"}) == read(tmp_path)


def test_a_setting_like_no_other_is_refused_without_a_guess(tmp_path: Path) -> None:
    said = refusal(written(tmp_path, "COLOUR=red"))
    assert "COLOUR" in said
    assert "did you mean" not in said


def test_a_line_that_is_no_setting_is_named_by_its_number(tmp_path: Path) -> None:
    assert refusal(written(tmp_path, "# one\nTRACKER_PROXIES=1\nhello\n")).startswith("Line 3 of ")


def test_the_folder_cannot_be_moved_from_inside(tmp_path: Path) -> None:
    assert "TRACKER_INSTANCE cannot be set" in refusal(written(tmp_path, "TRACKER_INSTANCE=/elsewhere"))


@pytest.mark.parametrize("name", ["tracker.env", "secret_key"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    assert f"{name} is not written in UTF-8" in refusal(written(tmp_path, b"TRACKER_NEWSROOM=K\xf6ln", name))
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    assert f"{name} cannot be read" in refusal(tmp_path)


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be read" in refusal(tmp_path / "file")


def test_the_folder_must_be_named_in_full() -> None:
    for path in ("instance", "./instance", "~/instance"):
        with pytest.raises(SettingsError, match="TRACKER_INSTANCE must be an absolute path"):
            read_settings({"TRACKER_INSTANCE": path})


# --- Wrong values -----------------------------------------------------------------------------------------------------

ADDRESSES = [
    "give.example.org", "//give.example.org", "ftp://give.example.org", "https://", "https:///x", "https://a b", "http://[::1",
    "https://user:secret@example.org", "https://:secret@example.org", "https://example.org/?a=1", "https://example.org?",
    "https://example.org#top", "https://example.org#", "https://example.org:0", "https://example.org:x",
    "https://example.org:99999", "https://bücher.example", "javascript:alert(1)", "https://example.org\\x", "https://a;b",
]  # fmt: skip

WRONG = [
    *(("TRACKER_PUBLIC_URL", text) for text in [*ADDRESSES, "https://example.org/give", "https://*.example.org"]),
    *(("STRIPE_API_BASE", text) for text in [*ADDRESSES, "https://*.example.org"]),
    *(("STRIPE_CHECKOUT_ORIGINS", text) for text in [*ADDRESSES, "https://pay.example.org, https://x.example.org"]),
    *(("TRACKER_EMBED_ON", text) for text in [*ADDRESSES, "https://a.org,https://b.org", "* https://a.org", "'self'", "none"]),
    *(("TRACKER_CHECK_ALSO", text) for text in [*ADDRESSES, "https://*.example.org", "*", "127.0.0.1:5002"]),
    *(("TRACKER_DATABASE_URL", text) for text in [
        "mysql://localhost/x", "postgres", "postgresql", "postgresql:x", "postgresql://u@h:port/x", "postgresql://u@a:1,b:x/d",
        "postgresql://u@/d?host=a,b&port=1,2,3", "postgresql://u@[::1],b/d", "sqlite", "sqlite://",
        "sqlite:///", "sqlite:///:memory:", "/var/lib/pledgebar.sqlite3", "https://example.org", ":", "://",
    ]),
    *(("TRACKER_LIMITS_URL", text) for text in ["redis", "redis:x", "http://[", "foo://h", "async+redis://h", ":", "memory:"]),
    *((name, text) for name in ("TRACKER_GIVE_LIMIT", "TRACKER_SIGN_IN_LIMIT") for text in [
        "5", "often", "5 per fortnight", "-1 per day", "1.5 per day", ";", "per day", "5 per 10 minutes; often",
    ]),
    *((name, text) for name in ("TRACKER_PROXIES", "TRACKER_CHECKOUTS_AT_ONCE", "TRACKER_KEEP_DELIVERIES") for text in [
        "-1", "10000", "x", "1.0", "0x1", "²", "٣", "1 000", "9" * 5000, "+1", "1_0",
    ]),
    *(("TRACKER_PROXIES", text) for text in ["1 203.0.113", "1 203.0.113.7/33", "1 proxy.example", "203.0.113.7", "1,203.0.113.7"]),
    *(("TRACKER_HOSTS", text) for text in [
        "https://give.example.org", "give.example.org:443", "give.example.org/x", "a,b", "*", "*.example.org", "bücher.org", "[::1",
    ]),
    *(("STRIPE_API_BASE", text) for text in ["http://api.stripe.com", "http://10.0.0.7:12111", "http://127.0.0.1.example.org"]),
    ("TRACKER_CHECKOUTS_AT_ONCE", "0"), ("TRACKER_KEEP_DELIVERIES", "29"), ("TRACKER_PROXIES", "10"),
    *(("TRACKER_CONTACT", text) for text in ["x", "@", "a b@example.org", "https://", "javascript:@x", "mailto:a@example.org"]),
    *(("TRACKER_SECRET_KEY", text) for text in ["short", "x" * 31]),
    *(("STRIPE_SECRET_KEY", text) for text in ["pk_test_1", "pk_live_1", "sk_test_", "whsec_1", "secret", "SK_TEST_1"]),
    *(("STRIPE_WEBHOOK_SECRET", text) for text in ["sk_test_1", "whsec_", "secret", "whsec_a b", "whsec_a;whsec_b c", "whsec_a,x"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text"), WRONG)
@pytest.mark.parametrize("where", ["environment", "file"])
def test_a_wrong_value_is_refused_in_a_sentence_that_names_the_setting(
    tmp_path: Path, name: str, text: str, where: str
) -> None:
    said = (
        refusal(tmp_path, **{name: text})
        if where == "environment"
        else refusal(written(tmp_path, f"{name}={text}"))
    )  # fmt: skip
    assert name in said


HIDDEN_PASSWORDS = [
    "hidden", "hidden@hidden", "@hidden", "hidden@", "hi@@hidden", "hidden:x", "hidden/x", "hidden?x", "hidden?a=b", "x@hidden?a=b",
    "x?a=b@hidden", "hidden#x", "hidden%", "hid%20den%zz", "[hidden", "hidden]", "x,hidden", "x@hidden,x", "x@hidden/x",
    "x@hidden:1", "x?hidden", "x/hidden@x", "hidden host=x", "hidden\thidden", "x@[hidden]", "x:hidden@x:hidden",
]  # fmt: skip


WHERE = ("@127.0.0.1:1/name", "@127.0.0.1:1,[::1]:1/name", "@/name?host=/nowhere", "@127.0.0.1:port/name")


@each("password", HIDDEN_PASSWORDS)
def test_no_part_of_a_database_password_is_ever_repeated(tmp_path: Path, password: str) -> None:
    for where in WHERE:
        try:
            found = read(tmp_path, TRACKER_DATABASE_URL=f"postgresql://user:{password}{where}")
            with create_engine(found.database_url).connect():
                raise AssertionError("somebody answers at port 1")
        except SettingsError as error:
            said = f"{error}"
        except SQLAlchemyError as error:
            said = f"{error} {database_errors.in_words(error)} {database_errors.named(error)} {found!r}"
        assert "hidden" not in said, where


@pytest.mark.parametrize("password", ["hidden", "half@hidden"])
def test_no_command_shows_a_password(tmp_path: Path, password: str) -> None:
    environ = {
        "TRACKER_INSTANCE": str(tmp_path), "TRACKER_SECRET_KEY": LONG,
        "TRACKER_DATABASE_URL": f"postgresql://user:{password}@127.0.0.1:1/name",
    }  # fmt: skip
    for command in ("init", "campaign list", "doctor"):
        said = run_command(environ, *command.split(" ")).output
        assert "The database does not answer" in said or "write @ as %40" in said
        assert "hidden" not in said


def test_a_password_with_every_sign_escaped_is_the_password(tmp_path: Path) -> None:
    password = "p@ss:w/o?r#d%&=[x],ü"
    url = f"postgresql://user:{quote(password, safe='')}@one:1,two:2/name?application_name=x"
    assert make_url(read(tmp_path, TRACKER_DATABASE_URL=url).database_url).password == password


def test_an_address_with_a_password_in_it_is_refused_without_it(tmp_path: Path) -> None:
    for name in (
        "TRACKER_PUBLIC_URL",
        "STRIPE_API_BASE",
        "STRIPE_CHECKOUT_ORIGINS",
        "TRACKER_EMBED_ON",
        "TRACKER_CHECK_ALSO",
    ):
        assert "hidden" not in refusal(tmp_path, **{name: "https://user:hidden@example.org"})


@pytest.mark.parametrize(
    ("name", "text"),
    [("STRIPE_SECRET_KEY", "pk_test_hidden"), ("STRIPE_SECRET_KEY", "hidden"), ("STRIPE_WEBHOOK_SECRET", "hidden"),
     ("TRACKER_SECRET_KEY", "hidden"), ("TRACKER_DATABASE_URL", "postgresql://u:hidden@h:port/x"),
     ("TRACKER_DATABASE_URL", "postgresql://u:hidden@a:1,b:port/x"),
     ("TRACKER_LIMITS_URL", "foo://:hidden@h")],
)  # fmt: skip
def test_a_refusal_does_not_repeat_a_secret(tmp_path: Path, name: str, text: str) -> None:
    assert "hidden" not in refusal(tmp_path, **{name: text})


# --- Good values ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://give.example.org", "https://give.example.org"),
        ("https://give.example.org/", "https://give.example.org"),
        ("HTTPS://Give.Example.ORG//", "https://give.example.org"),
        ("https://give.example.org:8443", "https://give.example.org:8443"),
        ("https://give.example.org:", "https://give.example.org"),
        ("http://[::1]:5000/", "http://[::1]:5000"),
        ("http://pledge_bar:5000", "http://pledge_bar:5000"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ],
)
def test_our_own_address_is_kept_as_browsers_spell_it(tmp_path: Path, text: str, address: str) -> None:
    found = read(tmp_path, TRACKER_PUBLIC_URL=text)
    assert found.public_url == address
    assert found.secure == address.startswith("https://")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("postgres://u:p@h:5432/d", "postgresql+psycopg://u:p@h:5432/d"),
        ("postgresql://u@h/d", "postgresql+psycopg://u@h/d"),
        ("postgresql+psycopg://u@h/d", "postgresql+psycopg://u@h/d"),
        ("postgresql+psycopg2://u@h/d", "postgresql+psycopg://u@h/d"),
        ("postgresql://u@/d?host=/run/postgresql", "postgresql+psycopg://u@/d?host=/run/postgresql"),
        ("postgresql://u:p%40ss@h/d?sslmode=require", "postgresql+psycopg://u:p%40ss@h/d?sslmode=require"),
        ("sqlite:////var/lib/x.sqlite3", "sqlite:////var/lib/x.sqlite3"),
    ],
)
def test_every_usual_way_to_name_a_database_is_understood(tmp_path: Path, text: str, url: str) -> None:
    assert read(tmp_path, TRACKER_DATABASE_URL=text).database_url == url


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("postgresql://u:p%40@one:5432,two:5433/d", "host=one,two&port=5432,5433&target_session_attrs=read-write"),
        ("postgresql://u:p%40@one,[::1]:5433/d", "host=one,::1&port=5432,5433&target_session_attrs=read-write"),
        ("postgresql://u:p%40@/d?host=/a,/b", "host=/a,/b&target_session_attrs=read-write"),
        ("postgresql://u:p%40@/d?host=a:1&host=b:2", "host=a:1&host=b:2&target_session_attrs=read-write"),
        (
            "postgresql://u:p%40@a,b/d?target_session_attrs=primary",
            "target_session_attrs=primary&host=a,b&port=5432,5432",
        ),
    ],
)
def test_of_several_postgresqls_the_one_that_takes_gifts_is_meant(tmp_path: Path, text: str, asked: str) -> None:
    found = read(tmp_path, TRACKER_DATABASE_URL=text).database_url
    assert found == f"postgresql+psycopg://u:p%40@/d?{asked}"


def test_a_relative_database_file_lies_in_the_folder(tmp_path: Path) -> None:
    found = read(tmp_path, TRACKER_DATABASE_URL="sqlite:///data/x.sqlite3")
    assert found.database_url == f"sqlite:///{tmp_path}/data/x.sqlite3"


def test_several_webhook_secrets_are_told_apart(tmp_path: Path) -> None:
    found = read(tmp_path, STRIPE_WEBHOOK_SECRET=" whsec_new , whsec_old,")
    assert found.stripe_webhook_secrets == ("whsec_new", "whsec_old")


@pytest.mark.parametrize("key", ["sk_live_1", "rk_live_1"])
def test_real_money_needs_a_safe_address(tmp_path: Path, key: str) -> None:
    said = refusal(tmp_path, STRIPE_SECRET_KEY=key)
    assert "TRACKER_PUBLIC_URL must begin with https://" in said
    assert key not in said
    assert refusal(tmp_path, STRIPE_SECRET_KEY=key, TRACKER_PUBLIC_URL="http://give.example.org")
    found = read(tmp_path, STRIPE_SECRET_KEY=key, TRACKER_PUBLIC_URL="HTTPS://give.example.org")
    assert found.live


@pytest.mark.parametrize("base", ["http://127.0.0.1:12111", "http://api.stripe.com"])
def test_a_live_key_does_not_travel_in_the_clear(tmp_path: Path, base: str) -> None:
    live = {"STRIPE_SECRET_KEY": "sk_live_1", "TRACKER_PUBLIC_URL": "https://give.example.org"}
    assert "STRIPE_API_BASE must begin with https://" in refusal(tmp_path, STRIPE_API_BASE=base, **live)
    assert read(tmp_path, STRIPE_API_BASE="https://stripe.example.org", **live).live


@pytest.mark.parametrize("base", ["http://127.0.0.1:12111", "http://[::1]:12111", "http://localhost:12111"])
def test_a_sandbox_on_this_machine_is_taken_with_a_test_key(tmp_path: Path, base: str) -> None:
    assert read(tmp_path, STRIPE_API_BASE=base, STRIPE_SECRET_KEY="sk_test_1").stripe_api_base == base


@pytest.mark.parametrize(
    ("text", "address", "proxies", "networks"),
    [
        ("", "http://127.0.0.1:5000", 0, ()), ("", "https://give.example.org", None, ()), ("0", "https://give.example.org", 0, ()),
        ("1", "http://127.0.0.1:5000", 1, ()),
        ("2 203.0.113.7  2001:db8::/32", "https://x.org", 2, ("203.0.113.7", "2001:db8::/32")),
    ],
)  # fmt: skip
def test_proxies_are_counted_and_one_is_expected_where_the_address_is_https(
    tmp_path: Path, text: str, address: str, proxies: int | None, networks: tuple[str, ...]
) -> None:
    found = read(tmp_path, TRACKER_PROXIES=text, TRACKER_PUBLIC_URL=address)
    assert (found.proxies, found.proxy_networks) == (proxies, networks)


def test_the_public_address_is_always_among_the_hosts(tmp_path: Path) -> None:
    assert read(tmp_path, TRACKER_PUBLIC_URL="https://Give.example.org:8443").hosts == ("give.example.org",)
    found = read(
        tmp_path, TRACKER_PUBLIC_URL="http://[::1]:5000", TRACKER_HOSTS="Give.example.org [2001:db8::1] 10.0.0.7"
    )
    assert found.hosts == ("::1", "give.example.org", "2001:db8::1", "10.0.0.7")


def test_the_marks_of_two_instances_differ_and_tell_nothing(tmp_path: Path) -> None:
    one, other = (read(tmp_path, TRACKER_SECRET_KEY=LONG + text) for text in "ab")
    assert one.key_mark != other.key_mark
    assert one.mark != read(tmp_path, TRACKER_SECRET_KEY=LONG + "a", TRACKER_NEWSROOM="Another").mark
    # Where a node keeps its files is its own affair.
    elsewhere = read(tmp_path / "elsewhere", TRACKER_SECRET_KEY=LONG + "a")
    assert (one.mark, one.key_mark) == (elsewhere.mark, elsewhere.key_mark)


@pytest.mark.parametrize("key", ["sk_test_1", "rk_test_1", ""])
def test_test_money_is_no_real_money(tmp_path: Path, key: str) -> None:
    assert not read(tmp_path, STRIPE_SECRET_KEY=key).live


def test_the_checkout_page_is_where_the_api_is_unless_it_has_an_address_of_its_own(tmp_path: Path) -> None:
    sandbox = "http://127.0.0.1:8181/api"
    assert read(tmp_path, STRIPE_API_BASE=sandbox).checkout_origins == ("http://127.0.0.1:8181",)
    own = read(
        tmp_path, STRIPE_API_BASE=sandbox, STRIPE_CHECKOUT_ORIGINS="https://pay.example.org/x https://b.example.org"
    )
    assert own.checkout_origins == ("https://pay.example.org", "https://b.example.org")


def test_sites_that_may_show_the_bar_are_kept_as_origins(tmp_path: Path) -> None:
    found = read(
        tmp_path, TRACKER_EMBED_ON="https://News.example.org/path  https://*.example.org http://localhost:8080"
    )
    assert found.embed_on == "https://news.example.org https://*.example.org http://localhost:8080"


@pytest.mark.parametrize(
    "text", ["memory://", "redis://:pass@h:6379/1", "rediss://h", "valkey://h", "redis+unix:///run/x"]
)
def test_the_usual_stores_of_limits_are_taken(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, TRACKER_LIMITS_URL=text).limits_url == text


def test_sites_that_may_be_fetched_though_private_are_kept_as_origins(tmp_path: Path) -> None:
    assert read(tmp_path).check_also == ()
    found = read(tmp_path, TRACKER_CHECK_ALSO="http://127.0.0.1:5002/news  https://Staging.example.org")
    assert found.check_also == ("http://127.0.0.1:5002", "https://staging.example.org")


@pytest.mark.parametrize("text", ["editors@example.org", "https://example.org/contact", "http://example.org"])
def test_a_contact_is_an_address_of_either_kind(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, TRACKER_CONTACT=text).contact == text


# --- Secrets ----------------------------------------------------------------------------------------------------------


def test_no_secret_shows_when_the_settings_are_printed(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        TRACKER_SECRET_KEY=f"hidden {LONG}",
        STRIPE_SECRET_KEY="sk_test_hidden",
        STRIPE_WEBHOOK_SECRET="whsec_hidden",
        TRACKER_DATABASE_URL="postgresql://u:hidden@h/d",
        TRACKER_LIMITS_URL="redis://:hidden@h",
    )
    assert "hidden" not in repr(found)
    assert "hidden" not in f"{found}"


def test_a_secret_key_is_made_once_for_its_owner_alone_and_then_found(tmp_path: Path) -> None:
    assert make_secret_key(tmp_path)
    file = tmp_path / "secret_key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    found = read(tmp_path).secret_key
    assert len(found) >= 32
    assert not make_secret_key(tmp_path)
    assert read(tmp_path).secret_key == found
    assert read(tmp_path, TRACKER_SECRET_KEY=LONG).secret_key == LONG


def test_a_secret_key_file_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    assert "TRACKER_SECRET_KEY is too short" in refusal(written(tmp_path, "abc\n", "secret_key"))
