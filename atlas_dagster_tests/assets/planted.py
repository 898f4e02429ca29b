"""A person and a secret that tests plant in a source, and then look for where they may not be."""

from __future__ import annotations

SECRET = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
PERSON = {
    "email": "jane.roe@example.org",
    "phone": "+44 20 7946 0958",
    "note": "call Quentin Featherstone on 555-0142",
    "age": "forty-two-and-a-half",
}
PIECES = [
    *PERSON.values(),
    *("jane", "roe@", "7946", "0958", "Quentin", "Featherstone", "555-0142", "forty-two"),
    SECRET,
]
COMPLAINT = f"token {SECRET} may not read {PERSON['email']} of Quentin Featherstone"
