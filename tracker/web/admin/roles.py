"""What each role may do: the one table. A page that is not in it is refused to everybody.

A role may do what the roles before it may. docs/accounts.md has the same table for people.
"""

from tracker.ledger.user_models import UserRow
from tracker.web.admin.signin.role_names import EDITOR, OWNER, READER, ROLES, role_of

__all__ = ["EDITOR", "NEEDED", "OWNER", "READER", "ROLES", "may", "role_of"]

NEEDED = {
    # One's own account.
    "account": READER,
    "go_on": READER,
    "set_up_app": READER,
    "remove_app": READER,
    "sign_out_everywhere": READER,
    "unsent_forms": READER,
    "discard_unsent": READER,
    # Every figure and every file, and the snippets for one's site.
    "home": READER,
    "campaign_list": READER,
    "months": READER,
    "month": READER,
    "entries": READER,
    "goals": READER,
    "drives": READER,
    "snippets": READER,
    # Campaigns, goals, drives, gifts by hand, and names.
    "new_campaign": EDITOR,
    "campaign_settings": EDITOR,
    "archive_campaign": EDITOR,
    "resume_campaign": EDITOR,
    "set_goal": EDITOR,
    "new_appeal": EDITOR,
    "change_appeal": EDITOR,
    "end_appeal": EDITOR,
    "set_people_goal": EDITOR,
    "offline": EDITOR,
    "reverse_offline": EDITOR,
    "give_back": EDITOR,
    "undo_give_back": EDITOR,
    "supporter_names": EDITOR,
    "show_supporter": EDITOR,
    "protection": EDITOR,
    # People, what they did, and what is known of a donor.
    "people": OWNER,
    "invite": OWNER,
    "withdraw_invitation": OWNER,
    "person": OWNER,
    "audit": OWNER,
    "personal_data": OWNER,
}
"""By the name of the view on the blueprint `admin`."""


def may(user: UserRow, view: str) -> bool:
    """Whether somebody who is signed in may open that page, or send its form."""
    role = role_of(user)
    return view in NEEDED and role in ROLES and ROLES.index(role) >= ROLES.index(NEEDED[view])
