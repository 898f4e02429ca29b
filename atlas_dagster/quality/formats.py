"""JSON schema's formats, and text that was damaged, as regular expressions of PostgreSQL."""

from __future__ import annotations

_DAY = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_OFFSET = "( ?(Z|z|[+-][0-9]{2}(:?[0-9]{2})?))?"
_CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9](:([0-5][0-9]|60)([.,][0-9]+)?)?" + _OFFSET
_LABEL = "[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_OCTET = "(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_EMAIL = "^[^@[:space:]]+@[^@[:space:]]+[.][^@[:space:].]{2,}$"
_URI = "^[A-Za-z][A-Za-z0-9+.-]*:[^[:space:]]+$"

FORMATS = {
    "email": _EMAIL,
    "idn-email": _EMAIL,
    "uuid": "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$",
    "uri": _URI,
    "url": _URI,
    "ipv4": f"^{_OCTET}([.]{_OCTET}){{3}}$",
    "ipv6": "^(?=.*:.*:)[0-9A-Fa-f:.]{2,45}(%[^[:space:]]+)?$",
    "hostname": f"^(?=.{{1,253}}$){_LABEL}([.]{_LABEL})*[.]?$",
    "date": f"^{_DAY}$",
    "date-time": f"^{_DAY}[Tt ]{_CLOCK}$",
    "time": f"^{_CLOCK}$",
}
"""By name, what the whole of a value must match; other formats are not checked."""

DAMAGED_TEXT = r"[\u0001-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ufffd]"
"""Control characters other than tab and the ends of lines, and what stands for a lost one.

As PostgreSQL spells them: `\\u` with four digits.
"""
