"""The editors' pages: one blueprint, modules that each add their views to it, and who may open which."""

from flask import Flask
from flask_security import current_user

from tracker.settings import Settings
from tracker.web.admin import (
    account,
    audit_pages,
    campaign_list,
    campaign_settings,
    closing_pages,
    drive_pages,
    files_page,
    gift_pages,
    give_back,
    goal_pages,
    import_page,
    month_page,
    months_admin,
    notice_choices,
    notice_links,
    notice_pages,
    offline_pages,
    one_gift,
    people_pages,
    personal_data_pages,
    protection_page,
    recipes,
    signin,
    snippets,
    supporter_names,
    wordpress_plugin,
)
from tracker.web.admin.blueprint import admin, for_templates
from tracker.web.admin.signin.roles import EDITOR, OWNER, READER

# Importing them hangs their views on the blueprint.
PAGES = (
    month_page, months_admin, campaign_settings, drive_pages, offline_pages, give_back, supporter_names, snippets,
    protection_page, account, gift_pages, one_gift, closing_pages, campaign_list, goal_pages, people_pages,
    personal_data_pages, audit_pages, recipes, wordpress_plugin,
    files_page, import_page, notice_choices, notice_pages,
)  # fmt: skip

# What each role may do: the views of these pages by name, each role with those of the roles before it. A view that is in
# none of them is refused to everybody. docs/accounts.md has the same table for people.
VIEWS = {
    READER: (
        # One's own account.
        "account", "go_on", "set_up_app", "remove_app", "sign_out_everywhere", "unsent_forms", "discard_unsent",
        "choose_notices", "ask_to_confirm",
        # Every figure and every file, and the snippets for the site.
        "home", "campaign_list", "running_month", "months", "month", "gifts", "gift", "closing", "entries", "goals", "drives",
        "snippets", "wordpress_plugin", "files", "filtered", "every_month", "journal",
    ),
    EDITOR: (
        # Campaigns, goals, drives, gifts by hand, and names.
        "new_campaign", "campaign_settings", "archive_campaign", "resume_campaign", "set_goal", "set_people_goal",
        "new_appeal", "change_appeal", "end_appeal", "offline", "reverse_offline", "give_back", "undo_give_back",
        "supporter_names", "show_supporter", "protection", "write_note", "delete_note", "close_month", "reopen_month",
        "import_gifts",
    ),
    OWNER: (
        # Accounts, the audit log, and donors' personal data.
        "people", "invite", "withdraw_invitation", "person", "audit", "personal_data", "donors",
        # What is sent by mail and to the webhook.
        "notices", "send_test_notice", "choose_webhook_notices",
    ),
}  # fmt: skip


def init_app(app: Flask, settings: Settings) -> None:
    signin.init_app(app, settings)
    # Flask-Security's own pages of the account have the same head as all others.
    app.extensions["security"].context_processor(lambda: for_templates() if current_user.is_authenticated else {})
    app.extensions["views_of_roles"] = VIEWS
    app.register_blueprint(admin)
    app.register_blueprint(notice_links.bp)
