"""The words beside a phrase: whom or what a field is about, and what they say against it."""

from __future__ import annotations

from collections.abc import Mapping

# Who a field is about. The nearest of these words decides what `name` or `city` means.
PERSONS = """
    customer, cust, user, usr, person, people, employee, staff, worker, patient, member,
    subscriber, contact, buyer, guest, student, pupil, teacher, doctor, physician, driver,
    passenger, traveler, traveller, applicant, candidate, tenant, owner, holder, author,
    recipient, sender, beneficiary, payer, payee, donor, lead, attendee, participant, manager,
    supervisor, assignee, reporter, spouse, child, parent, mother, father, emergency, billing,
    shipping, delivery, home, personal, private, client, caller, visitor, voter, citizen,
    resident, insured, prospect, account holder, to, from, bill, ship, signer, reviewer,
    commenter, creator, committer, actor, profile, individual, kunde, kunden, nutzer, benutzer,
    mitarbeiter, patienten, mitglied, mitglieder, empfanger, absender, kaufer, schuler,
    studenten, versicherter, versicherte, versicherten, inhaber, bewerber, rechnung, rechnungs,
    liefer, lieferung, lieferungs, privat, fahrer, gast, gaste, utilisateur, employe, salarie,
    adherent, destinataire, titulaire, eleve, acheteur, personne, livraison, facturation,
    medecin, locataire, conjoint, cliente, clientes, usuario, usuarios, empleado, empleados,
    paciente, titular, destinatario, alumno, contacto, beneficiario, persona, envio,
    facturacion, medico, comprador, bruger, brugere, medarbejder, medarbejdere, modtager,
    afsender, ejer, elev, kontakt, levering, leverings, faktura, faktureringsadresse, leje,
    lejer, laege, gebruiker, klant, medewerker, utente, dipendente, utilizador, anvandare,
    anstalld
"""
THINGS = """
    product, prod, item, article, company, corporate, corp, organisation, organization, org,
    business, shop, store, merchant, vendor, supplier, manufacturer, file, event, campaign,
    category, brand, model, plan, project, team, department, dept, role, group, tag, page, site,
    domain, app, application, package, repo, repository, branch, plugin, device, service, job,
    task, queue, topic, template, field, attribute, currency, account, bank, warehouse, office,
    venue, hotel, restaurant, school, university, hospital, airport, station, facility, machine,
    image, feature, course, book, song, album, movie, film, game, table, column, schema,
    database, plant, depot, stock, carrier, provider, partner, agency, headquarters, hq,
    employer, variant, option, status, stage, pipeline, workflow, rule, metric, report,
    dashboard, query, channel, segment, list, form, webhook, integration, index, bucket, folder,
    directory, path, class, function, method, module, test, color, colour, size, unit, tax,
    discount, coupon, license plate, vehicle, car, truck, insurance company, display, platform,
    menu, step, key, produkt, produkte, artikel, firma, firmen, unternehmen, unternehmens,
    laden, datei, kategorie, marke, abteilung, filiale, filial, lieferant, lieferanten,
    hersteller, lager, standort, hafen, bahnhof, werk, projekt, gruppe, bezeichnung,
    arbeitgeber, hochschule, schule, krankenhaus, geschaft, niederlassung, produit, entreprise,
    societe, magasin, boutique, fichier, categorie, marque, fournisseur, entrepot, banque,
    usine, projet, etablissement, agence, employeur, groupe, producto, empresa, tienda, archivo,
    categoria, marca, proveedor, almacen, sucursal, banco, proyecto, fabricante, articulo,
    grupo, oficina, sede, estacion, virksomhed, virksomheds, selskab, butik, butiks, vare,
    leverandor, fil, kategori, afdeling, maerke, bil, forretning, varehus, gruppenavn, prodotto,
    azienda, negozio, bedrijf, winkel, foretag
"""
# What has a name that is no person's, whoever it belongs to: the country of a customer.
NAMED = """
    country, countries, state, region, province, county, counties, district, city, cities, town,
    village, municipality, municipalities, continent, zone, territory, territories, area,
    neighborhood, neighbourhood, suburb, borough, place, location, language, locale, timezone,
    industry, industries, sector, occupation, profession, position, degree, subject, religion,
    nationality, league, airline, port, building, land, bundesland, stadt, gemeinde, sprache,
    branche, beruf, pays, ville, commune, langue, metier, profesion, pais, ciudad, provincia,
    municipio, idioma, kommune, sprog, paese, citta, regione, estado, cidade
"""
MACHINES = """
    server, host, gateway, router, switch, node, cluster, printer, dns, nat, upstream, backend,
    proxy, balancer, loadbalancer, interface, bssid, pod, container, vm, instance, subnet,
    network, firewall, broker, listen, bind, internal, dhcp, access point, ap, hypervisor,
    camera, sensor, destination, dst, dest, netmask, mask, broadcast, vip, serveur, servidor,
    netzwerk, drucker, rechner, resolver, nameserver, switchport, plc, controller
"""

# Words after a phrase, and before one, that turn a field into one about another: `email_verified`
# and `has_email` hold no e-mail address; `verified_email` does.
ATTRIBUTES = """
    id, ids, uuid, guid, type, typ, types, tipo, kind, status, count, cnt, counter, verified,
    confirmed, valid, validated, verification, enabled, disabled, opt, optin, optout, flag, at,
    time, timestamp, ts, hash, hashed, sha, sha1, sha256, md5, digest, checksum, token, length,
    len, format, template, subject, body, domain, provider, language, lang, locale, version,
    score, rank, idx, url, href, link, required, allowed, preference, preferences, notification,
    notifications, marketing, consent, sent, opened, clicked, bounced, last4, last 4, last four,
    exp, expiry, expires, expiration, expire, month, brand, currency, country, prefix,
    extension, error, total, sum, avg, rate, mode, policy, source, level, class, category,
    label, icon, image, updated, created, changed, deleted, modified, added, seen, used,
    attempts, limit, size, color, width, height, anzahl, bestatigt, verifiziert, aktiv,
    erstellt, geandert, gultig, verifie, valide, verificado, validado, actif, activo,
    bekraeftet, antal, oprettet, aendret, gyldig, area code, dial code, calling code, country
    code, carrier, operator, timezone, state, region, province, provincia, land, bundesland,
    pays, pais, county, departement, continent, tz, fee, price, amount, cost, match, matched,
    quality, accuracy, radius, precision, frequency, queue, event, events, log, reason, result,
    response, bounce, unsubscribed, subscribed, blocked, reset, change, changes, update,
    updates, signature, masked, redacted, encrypted, date, datum, dato, fecha, plan, planning,
    map, range, zone, district, sequence
"""
LEADING_ATTRIBUTES = """
    is, has, id, type, tipo, typ, statut, status, estado, count, nb, cnt, hash, hashed, sha256,
    md5, date, fecha, can, was, no of, num of, number of, anzahl, antal, allow, send, use,
    require, validate, verify, encrypted, masked
"""

# Words that say nothing of what a field holds.
NEUTRAL = """
    value, values, text, raw, number, numbers, no, nr, num, nummer, numero, line, display,
    formatted, first, last, full, given, family, main, primary, secondary, default, work,
    office, mobile, other, alternate, alt, new, old, current, original, normalized, standard,
    principal, string, str, field, data, details, info, attributes, code, the, telefon, privat,
    content, middle, local, e164, national, international, evening, day, additional,
    alternative, principale, hoved, haupt, geschaftlich, dienstlich, arbeits, arbejds, pro,
    professionnel, laboral
"""

STOP_WORDS = """
    of, the, a, an, de, du, des, la, le, les, d, l, del, el, los, las, af, og, und, der, die,
    das, di, do, dos, van, het
"""

# What a name says against findings of these entities, by the words that say it.
NUMBER_ENTITIES = (
    "PHONE_NUMBER",
    "CREDIT_CARD",
    "US_SSN",
    "US_ITIN",
    "UK_NHS",
    "MEDICAL_LICENSE",
    "CRYPTO",
)
DENIALS: Mapping[str, tuple[str, ...]] = {
    """
    imei, iccid, meid, order, invoice, sku, ean, gtin, upc, isbn, barcode, serial, tracking,
    ref, reference, transaction, epoch, timestamp, ts, amount, price, quantity, qty, weight,
    dimension, dimensions, size, width, height, depth, version, build, revision, hash, sha, md5,
    checksum, digest, uuid, guid, key, id, ids, sequence, seq, lot, batch, part, asset, ticket,
    case, voucher, coupon, created, updated, modified, deleted, date, time, duration, total,
    balance, rate, ratio, score, count, latitude, longitude, lat, lng, lon, port, bytes, number
    of, zip, postal, postcode, bestellung, bestellnummer, bestell, auftrag, auftrags,
    auftragsnummer, auftragsnr, rechnungsnummer, rechnungsnr, belegnummer, kundennummer,
    kundennr, artikelnummer, artikelnr, seriennummer, sendungsnummer, preis, betrag, menge,
    gewicht, grosse, abmessungen, masse, datum, uhrzeit, erstellt, geandert, commande, facture,
    colis, suivi, prix, montant, quantite, poids, taille, heure, pedido, factura, albaran,
    seguimiento, precio, importe, cantidad, peso, tamano, fecha, hora, ordre, ordrenummer,
    ordrenr, fakturanummer, fakturanr, varenummer, varenr, kundenummer, kundenr, serienummer,
    pris, belob, maengde, vaegt, storrelse, dato, tidspunkt, siren, siret, cvr, cif, vat, tva,
    iva, ust, ustid, ustidnr, lei, duns, ordine
    """: NUMBER_ENTITIES,
    """
    version, build, release, firmware, revision, agent, user agent, useragent, ua, browser, oid,
    kernel, driver, driver version, sdk, os, software, engine, semver, dependency
    """: ("IP_ADDRESS",),
    """
    message id, messageid, in reply to, references, repo, repository, git, remote, clone,
    package, image, docker, dsn, ssh, purl
    """: ("EMAIL_ADDRESS",),
}
