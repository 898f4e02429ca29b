"""The names of what may be found in a field: Presidio's, ours, and those of own recognizers."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from atlas_dagster.yaml_source import Node, read_yaml, suggestion

# Known without loading Presidio, which takes longer than all definitions do.
_PRESIDIO = """
ABA_ROUTING_NUMBER AGE AU_ABN AU_ACN AU_MEDICARE AU_TFN CA_POSTAL_CODE CA_SIN CREDIT_CARD CRYPTO
DATE_TIME DE_BSNR DE_FUEHRERSCHEIN DE_HANDELSREGISTER DE_HEALTH_INSURANCE DE_ID_CARD DE_KFZ
DE_LANR DE_PASSPORT DE_PLZ DE_SOCIAL_SECURITY DE_TAX_ID DE_TAX_NUMBER DE_VAT_ID EMAIL
EMAIL_ADDRESS ES_NIE ES_NIF ES_PASSPORT FI_PERSONAL_IDENTITY_CODE IBAN_CODE ID IN_AADHAAR
IN_GSTIN IN_PAN IN_PASSPORT IN_VEHICLE_REGISTRATION IN_VOTER IP_ADDRESS IT_DRIVER_LICENSE
IT_FISCAL_CODE IT_IDENTITY_CARD IT_PASSPORT IT_VAT_CODE KR_BRN KR_DRIVER_LICENSE KR_FRN
KR_PASSPORT KR_RRN LOCATION MAC_ADDRESS MEDICAL_BIOLOGICAL_ATTRIBUTE
MEDICAL_BIOLOGICAL_STRUCTURE MEDICAL_CLINICAL_EVENT MEDICAL_DISEASE_DISORDER
MEDICAL_FAMILY_HISTORY MEDICAL_HISTORY MEDICAL_LICENSE MEDICAL_MEDICATION
MEDICAL_THERAPEUTIC_PROCEDURE NG_NIN NG_VEHICLE_REGISTRATION NRP ORGANIZATION PERSON
PHONE_NUMBER PH_PASSPORT PH_TIN PH_UMID PL_PESEL SE_ORGANISATIONSNUMMER SE_PERSONNUMMER
SG_NRIC_FIN SG_UEN TH_TNIN TR_LICENSE_PLATE TR_NATIONAL_ID UK_DRIVING_LICENCE UK_NHS UK_NINO
UK_PASSPORT UK_POSTCODE UK_VEHICLE_REGISTRATION URL US_BANK_NUMBER US_CLAIM_NUMBER
US_DRIVER_LICENSE US_HEALTH_INSURANCE_MEMBER_ID US_ITIN US_MBI US_NPI US_PASSPORT
US_PRESCRIPTION_NUMBER US_PRIOR_AUTHORIZATION_NUMBER US_PROVIDER_TAX_ID US_REFERRAL_NUMBER
US_SSN UUID ZA_COMPANY_REGISTRATION ZA_DRIVER_LICENSE ZA_ID_NUMBER ZA_INCOME_TAX_NUMBER
ZA_LICENSE_PLATE ZA_MOBILE_NUMBER ZA_PASSPORT ZA_TELEPHONE_NUMBER ZA_TRAFFIC_REGISTER_NUMBER
ZA_VAT_NUMBER
"""


_BY_NAME = """
BANK_ACCOUNT DATE_OF_BIRTH DEVICE_ID DRIVER_LICENSE GENDER MEDICAL_ID NATIONAL_ID PASSPORT
USERNAME
"""

PRESIDIO = frozenset(_PRESIDIO.split())
BY_NAME = frozenset(_BY_NAME.split())
"""What the name of a field alone says, and no recognizer of Presidio's finds."""


def refuse_unknown_entities(nodes: Mapping[str, Node], recognizers_file: Path) -> None:
    """Raise ConfigError, naming file, line and key, of the first name that nothing finds."""
    unknown = {name: node for name, node in nodes.items() if name not in PRESIDIO | BY_NAME}
    if unknown:
        known = PRESIDIO | BY_NAME | own_entities(recognizers_file) | installed_entities()
        for name, node in unknown.items():
            if name not in known:
                raise node.error(f"unknown entity; {_suggestion(name, known)}")


def own_entities(file: Path) -> frozenset[str]:
    """What the recognizers of a file say that they find; what is amiss in it, others tell."""
    found: set[str] = set()
    for recognizer in read_yaml(file).mapping().get("recognizers", _nothing(file)).items():
        if isinstance(recognizer.value, Mapping):
            one = recognizer.value.get("supported_entity", _nothing(file))
            several = recognizer.value.get("supported_entities", _nothing(file))
            found.update(str(node.value) for node in (one, *several.items()) if not node.absent)
    return frozenset(found)


def installed_entities() -> frozenset[str]:
    """What all recognizers find that come with the Presidio that is installed."""
    import presidio_analyzer.predefined_recognizers as predefined

    found: set[str] = set()
    for name in predefined.__all__:
        recognizer: Any = getattr(predefined, name)
        if not isinstance(recognizer, type):
            continue
        parameter = inspect.signature(recognizer).parameters.get("supported_entity")
        if parameter is not None and isinstance(parameter.default, str):
            found.add(parameter.default)
        found.update(getattr(recognizer, "ENTITIES", None) or ())
    return frozenset(found)


def _suggestion(name: str, known: frozenset[str]) -> str:
    """What may have been meant; all names would be too many."""
    told = suggestion(name, known)
    if told.startswith("did you mean"):
        return told
    return "expected one of Presidio's, such as EMAIL_ADDRESS, or of config/pii_recognizers.yaml"


def _nothing(file: Path) -> Node:
    return Node(str(file), "", 1, None)
