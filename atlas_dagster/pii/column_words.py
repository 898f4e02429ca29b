"""The words that fields of personal data are named with, by entity and language.

A phrase is written in lower case without accents (`column_names.folded`), words apart; it is found
however a name joins them: `date of birth` in `date_of_birth`, `DateOfBirth` and `dateofbirth`.
"""

from __future__ import annotations

from dataclasses import dataclass

# Entities that Presidio has no recognizer for, or one a country; elsewhere its own names are used.
DATE_OF_BIRTH = "DATE_OF_BIRTH"
NATIONAL_ID = "NATIONAL_ID"
PASSPORT = "PASSPORT"
DRIVER_LICENSE = "DRIVER_LICENSE"
BANK_ACCOUNT = "BANK_ACCOUNT"
MEDICAL_ID = "MEDICAL_ID"
DEVICE_ID = "DEVICE_ID"
USERNAME = "USERNAME"
GENDER = "GENDER"

# What no one can be known by, and yet is named with words that elsewhere mean a person's.
NOTHING = ""

# How far a name can be trusted without a look at the values.
SURE = 0.85
LIKELY = 0.65
HINT = 0.3


@dataclass(frozen=True)
class Phrases:
    """Ways to name one entity, parted by commas, and how far such a name can be trusted."""

    entity: str
    weight: float
    text: str


PHRASES = (
    Phrases(
        "PERSON",
        SURE,
        """
        first name, firstname, fname, given name, forename, last name, lastname, lname, surname,
        family name, middle name, full name, maiden name, birth name, person name, legal name,
        name first, name last, name full, name given, name family, name middle, cardholder,
        cardholder name, card holder, account holder, next of kin, preferred name, vorname,
        nachname, familienname, geburtsname, zuname, rufname, ansprechpartner, kontoinhaber,
        karteninhaber, vollstandiger name, prenom, nom de famille, nom de naissance, nom
        complet, nom d usage, nom jeune fille, nombre completo, nombre de pila, apellido,
        apellidos, primer apellido, segundo apellido, fornavn, efternavn, mellemnavn, fulde
        navn, kaldenavn, kontaktperson, kontohaver, kortholder, etternavn, fornamn, efternamn,
        voornaam, achternaam, tussenvoegsel, volledige naam, cognome, nome completo, nome
        proprio, sobrenome, apelido, imie, nazwisko, etunimi, sukunimi
        """,
    ),
    Phrases("PERSON", HINT, "name, names, nom, nombre, nome, navn, namn, naam, display name"),
    Phrases(
        "EMAIL_ADDRESS",
        SURE,
        """
        email, emails, e mail, mail, email address, email addr, email id, mail address, mailbox,
        mailadresse, emailadresse, e mail adresse, courriel, adresse mail, adresse email,
        adresse electronique, correo, correo electronico, direccion de correo, epost, e post,
        epostadresse, mailadres, posta elettronica, indirizzo email, endereco de email
        """,
    ),
    Phrases(
        "PHONE_NUMBER",
        SURE,
        """
        phone, phones, phone number, phone no, phone nr, phone num, telephone, telephone number,
        tel, tel nr, tel no, mobile phone, mobile number, mobile no, cell phone, cellphone, cell
        number, contact number, msisdn, whatsapp, whatsapp number, fax, fax number, telefax,
        landline, telefon, telefonnummer, telefonnr, telefon nr, handy, handynummer, handynr,
        mobiltelefon, mobilnummer, mobilnr, rufnummer, faxnummer, festnetz, festnetznummer,
        numero de telephone, telephone portable, telephone fixe, numero telephone, no telephone,
        telefono, telefonos, numero de telefono, telefono movil, movil, celular, telf, tlf,
        tlfnr, tlf nr, telefonnumre, fastnettelefon, mobiltlf, telefoon, telefoonnummer,
        cellulare, numero di telefono, telefone, telemovel, puhelin, puhelinnumero
        """,
    ),
    Phrases("PHONE_NUMBER", LIKELY, "mobile, mobil, cell, gsm, portable, telephone pro"),
    Phrases(
        "LOCATION",
        SURE,
        """
        address, addresses, addr, street, street address, street name, street number, house
        number, address line, address line 1, address line 2, address line 3, address 1, address
        2, mailing address, postal address, home address, residence, place of birth, birth
        place, city of birth, adresse, adressen, anschrift, strasse, strassenname, hausnummer,
        hausnr, adresszeile, wohnort, wohnsitz, geburtsort, rue, voie, numero de rue, adresse
        postale, complement d adresse, domicile, lieu de naissance, ville de naissance, lieu de
        residence, adr, direccion, direcciones, calle, domicilio, residencia, lugar de
        nacimiento, vej, vejnavn, gade, gadenavn, husnummer, husnr, bopael, bopaelsadresse,
        fodested, fodeby, indirizzo, luogo di nascita, straat, straatnaam, huisnummer, adres,
        woonplaats, geboorteplaats, adress, gata, gatuadress, endereco, morada, logradouro,
        gateadresse
        """,
    ),
    Phrases(
        "LOCATION",
        LIKELY,
        """
        city, cities, town, zip, zips, zip code, zipcode, postal code, postalcode, postcode,
        post code, latitude, longitude, lat, lng, lon, lat lng, lat long, geo point,
        geolocation, coordinates, gps, city name, plz, postleitzahl, ort, ortsname, stadt,
        ortschaft, ville, code postal, cp ville, commune, coordonnees gps, ciudad, codigo
        postal, localidad, poblacion, municipio, coordenadas, postnr, postnummer, bynavn,
        postby, poststed, postort, postdistrikt, breddegrad, laengdegrad, breitengrad,
        langengrad, citta, comune, codice postale, plaats, plaatsnaam, stad, cidade, cep,
        kommune
        """,
    ),
    Phrases(
        DATE_OF_BIRTH,
        SURE,
        """
        dob, date of birth, birth date, birthdate, birth day, birthday, born, born on, birth dt,
        person birthdate, year of birth, birth year, geburtsdatum, geburtstag, geburtsjahr,
        gebdat, gebdatum, geb datum, geb dat, geboren am, date de naissance, date naissance, ne
        le, naissance, jour de naissance, fecha de nacimiento, fecha nacimiento, fec nacimiento,
        fec nac, f nacimiento, nacimiento, cumpleanos, fodselsdato, foedselsdato, fodselsdag,
        fodselsaar, fodt, foedt, geboortedatum, geboortedag, data di nascita, data de
        nascimento, nascimento, fodelsedatum, syntymaaika
        """,
    ),
    Phrases(
        NATIONAL_ID,
        SURE,
        """
        ssn, social security number, social security no, social security, social sec number,
        national id, national id number, national identification number, national identifier,
        national insurance number, national insurance no, nino, ni number, personal id number,
        personal identification number, identity card, identity card number, identity number, id
        card, id card number, tax id, tax id number, tax identification number, tin, itin,
        taxpayer id, aadhaar, cpr, cpr nr, cprnr, cpr nummer, cprnummer, cpr no, personnummer,
        person nr, personnr, samordningsnummer, fodselsnummer, fodselsnr, henkilotunnus, hetu,
        steuer id, steuerid, steuer identifikationsnummer, steueridentifikationsnummer, idnr,
        steuerliche identifikationsnummer, sozialversicherungsnummer, sozialversicherungsnr, sv
        nummer, sv nr, svnr, rentenversicherungsnummer, personalausweis, personalausweisnummer,
        personalausweisnr, ausweisnummer, ausweisnr, insee, numero insee, nir, numero de
        securite sociale, num securite sociale, securite sociale, numero secu, num secu, no
        secu, numero fiscal, carte d identite, numero carte d identite, cni, dni, nif, nie, dni
        nie, nif nie, numero dni, documento de identidad, documento identidad, num documento,
        cedula, cedula identidad, curp, numero de seguridad social, num seguridad social,
        seguridad social, nss, codice fiscale, carta d identita, bsn, burgerservicenummer,
        sofinummer, rijksregisternummer, pesel, cpf, rut
        """,
    ),
    Phrases(
        PASSPORT,
        SURE,
        """
        passport, passport number, passport no, passport nr, passport num, reisepass,
        reisepassnummer, reisepassnr, passnummer, pass nr, passeport, numero de passeport, no
        passeport, pasaporte, numero de pasaporte, num pasaporte, pasnummer, pas nr, pasnr,
        passaporto, passaporte, paspoort, paspoortnummer, passnr
        """,
    ),
    Phrases(
        DRIVER_LICENSE,
        SURE,
        """
        driver license, drivers license, driver licence, drivers licence, driving licence,
        driving license, driver license number, drivers license number, drivers licence number,
        driving licence number, driving license number, dl number, fuhrerschein,
        fuhrerscheinnummer, fuhrerscheinnr, permis de conduire, numero permis de conduire,
        numero permis, permiso de conducir, carnet de conducir, licencia de conducir, licencia
        de conduccion, korekort, korekortnummer, koerekort, koerekortnummer, korekort nr,
        rijbewijs, rijbewijsnummer, patente di guida, carta de conducao, korkort, korkortsnummer
        """,
    ),
    Phrases(
        BANK_ACCOUNT,
        SURE,
        """
        bank account, bank account number, bank account no, bank acct, bank acct number,
        bankkonto, bankkontonummer, kontonummer, kontonr, konto nr, bankverbindung,
        kontoverbindung, compte bancaire, numero de compte, numero de compte bancaire, num
        compte, rib, cuenta bancaria, numero de cuenta, num cuenta, cuenta corriente, conto
        corrente, numero conto, rekeningnummer, bankrekening, conta bancaria, bankgiro, bban,
        clabe
        """,
    ),
    Phrases(BANK_ACCOUNT, LIKELY, "account number, account no, acct no, acct num, account num"),
    Phrases(
        "IBAN_CODE",
        SURE,
        "iban, iban code, iban number, iban no, iban nr, iban nummer, ibannummer, code iban",
    ),
    Phrases(
        "CREDIT_CARD",
        SURE,
        """
        credit card, creditcard, credit card number, credit card no, debit card, debit card
        number, card number, card no, card num, cc number, cc num, cc no, ccnum, ccnumber, pan,
        card pan, payment card, kreditkarte, kreditkartennummer, kreditkartennr, kartennummer,
        karten nr, carte bancaire, carte de credit, numero de carte, num carte, numero carte
        bancaire, tarjeta, tarjeta de credito, numero de tarjeta, num tarjeta, kreditkort,
        kreditkortnummer, kortnummer, kortnr, betalingskort, carta di credito, numero carta,
        creditcardnummer, cartao de credito, numero do cartao
        """,
    ),
    Phrases(
        "IP_ADDRESS",
        SURE,
        """
        ip, ips, ip address, ip addr, ipaddress, ipaddr, ipv4, ipv6, ipv4 address, ipv6 address,
        client ip, remote ip, remote addr, remote address, remote host ip, x forwarded for,
        adresse ip, ip adresse, direccion ip, indirizzo ip, ip adres, endereco ip
        """,
    ),
    Phrases(
        "MAC_ADDRESS",
        SURE,
        """
        mac, mac address, mac addr, macaddress, macaddr, hwaddr, hardware address, ethernet
        address, adresse mac, mac adresse, direccion mac, wifi mac, bluetooth mac
        """,
    ),
    Phrases(
        DEVICE_ID,
        SURE,
        """
        device id, device identifier, device uuid, idfa, idfv, gaid, aaid, advertising id, imei,
        imei number, android id, gerate id, gerateid, identifiant appareil, id dispositivo,
        enheds id, imsi
        """,
    ),
    Phrases(
        MEDICAL_ID,
        SURE,
        """
        medical record number, medical record no, mrn, patient id, patient number, patient no,
        health insurance number, health insurance id, health insurance no, medicare number,
        medicare no, medicaid number, nhs, nhs number, nhs no, krankenversichertennummer,
        krankenversichertennr, krankenversicherungsnummer, kvnr, versichertennummer,
        versichertennr, krankenkassennummer, patientennummer, patientennr, numero d assure,
        numero assure, carte vitale, numero patient, tarjeta sanitaria, numero de afiliacion,
        numero de historia clinica, historia clinica, sygesikring, sygesikringsnummer,
        sygesikringsnr, sundhedskort, patientnummer, patientnr, tessera sanitaria
        """,
    ),
    Phrases(
        MEDICAL_ID,
        LIKELY,
        "insurance number, insurance id, insurance no, versicherungsnummer, versicherungsnr",
    ),
    Phrases("MEDICAL_LICENSE", SURE, "dea, dea number, dea no, medical license, medical licence"),
    Phrases(
        USERNAME,
        SURE,
        """
        username, user name, usernames, login name, screen name, screenname, nickname, nick
        name, nick, user login, benutzername, nutzername, anmeldename, nom d utilisateur, nom
        utilisateur, pseudo, pseudonyme, nombre de usuario, nombre usuario, brugernavn,
        gebruikersnaam, nome utente, nome de usuario, brukernavn, anvandarnamn, twitter handle,
        instagram handle, twitter username, telegram, skype, skype id
        """,
    ),
    Phrases(USERNAME, LIKELY, "login, identifiant, benutzerkennung, kennung"),
    Phrases(
        GENDER,
        SURE,
        """
        gender, sex, geschlecht, anrede, sexe, civilite, sexo, kon, koen, kjonn, geslacht,
        sesso, genero, salutation, gender identity
        """,
    ),
    Phrases(
        "NRP",
        SURE,
        """
        nationality, religion, ethnicity, ethnic group, citizenship, political party,
        nationalitat, staatsangehorigkeit, staatsburgerschaft, konfession,
        religionszugehorigkeit, nationalite, origine ethnique, nacionalidad, nationalitet,
        statsborgerskab, nationaliteit, nazionalita, nacionalidade, trade union membership
        """,
    ),
    Phrases(
        "CRYPTO",
        SURE,
        "wallet address, crypto wallet, btc address, bitcoin address, crypto address, btc wallet",
    ),
    Phrases(
        NOTHING,
        SURE,
        """
        web address, website address, social media address, contract address, memory address,
        webadresse, internetadresse, adresse web, adresse site, direccion web
        """,
    ),
    Phrases(
        "URL",
        LIKELY,
        """
        linkedin, linkedin url, linkedin profile, facebook url, facebook profile, instagram url,
        twitter url, profile url, social profile, personal website, xing profil, xing url
        """,
    ),
)
