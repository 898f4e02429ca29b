"""Names, places, companies, products and sentences in five languages."""

from __future__ import annotations


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


FIRST_NAMES = {
    "en": _words(
        "Olivia, James, Emma, William, Ava, Noah, Sophia, Liam, Grace, Henry, Chloe, Jack"
    ),
    "de": _words(
        "Jürgen, Sabine, Lukas, Anna, Günther, Heike, Jonas, Lena, Klaus, Birgit, Uwe, Mia"
    ),
    "fr": _words("Amélie, Jean-Luc, Chloé, Antoine, Zoé, Hugo, Camille, Théo, Inès, Louis, Manon"),
    "es": _words("María José, Alejandro, Lucía, Íñigo, Carmen, Pablo, Sofía, Javier, Marta, Diego"),
    "da": _words(
        "Søren, Freja, Mads, Ida, Åse, Rasmus, Signe, Jens, Kirsten, Mikkel, Bodil, Anders"
    ),
}
LAST_NAMES = {
    "en": _words("Smith, Johnson, O'Connor, Brown, Taylor, Clarke, Wilson, Evans, Walker, Wright"),
    "de": _words("Müller, Schmidt, Schäfer, Weber, Groß, Wagner, Becker, Hoffmann, Koch, Bauer"),
    "fr": _words("Lefèvre, Dubois, Moreau, Girard, Rousseau, Fontaine, Garnier, Chevalier, Besson"),
    "es": _words("García López, Fernández, Muñoz, Rodríguez Pérez, Navarro, Ibáñez, Ortega, Ruiz"),
    "da": _words("Sørensen, Jensen, Møller, Nielsen, Kjær, Hansen, Østergaard, Poulsen, Bruun"),
}
STREETS = {
    "en": _words("Main Street, Oak Avenue, High Street, Park Lane, Mill Road, Sunset Boulevard"),
    "de": _words("Hauptstraße, Goethestr., Am Markt, Lindenweg, Bahnhofstraße, Schillerplatz"),
    "fr": _words(
        "rue de la Paix, avenue Foch, boulevard Voltaire, place Bellecour, impasse Pasteur"
    ),
    "es": _words("Calle Mayor, Avenida de América, Paseo de Gracia, Plaza España, Calle del Sol"),
    "da": _words("Nørregade, Vesterbrogade, Skovvej, Strandvejen, Østergade, Lærkevej"),
}
CITIES = {
    "en": [("Boston", "02108"), ("Seattle", "98101"), ("Leeds", "LS1 4DY"), ("Bristol", "BS1 5TR"),
           ("Austin", "73301"), ("Denver", "80202"), ("Oxford", "OX1 2JD")],
    "de": [("Berlin", "10115"), ("München", "80331"), ("Köln", "50667"), ("Leipzig", "04109"),
           ("Hamburg", "20095"), ("Görlitz", "02826")],
    "fr": [("Paris", "75001"), ("Lyon", "69002"), ("Marseille", "13001"), ("Nîmes", "30000"),
           ("Saint-Étienne", "42000"), ("Brest", "29200")],
    "es": [("Madrid", "28013"), ("Sevilla", "41001"), ("Málaga", "29005"), ("Bilbao", "48001"),
           ("A Coruña", "15001"), ("Cádiz", "11001")],
    "da": [("København K", "1050"), ("Aarhus C", "8000"), ("Odense C", "5000"), ("Rønne", "3700"),
           ("Aalborg", "9000"), ("Sønderborg", "6400")],
}  # fmt: skip
COMPANIES = {
    "en": _words("Acme Inc., Globex Corporation, Northwind Traders, Initech LLC, Umbrella Group"),
    "de": _words("Siebert GmbH, Nordlicht AG, Bäckerei Krone, Stahlwerk Süd KG, Ost-Chemie SE"),
    "fr": _words(
        "Boulangerie Azur SARL, Nordis SA, Société des Eaux, Atelier Vert SAS, Transloire"
    ),
    "es": _words(
        "Aceites del Sur S.L., Grupo Montaña S.A., Talleres Norte, Viajes Azahar, Cerámica"
    ),
    "da": _words("Nordhavn ApS, Bageriet på Hjørnet, Jysk Stål A/S, Grøn Energi A/S, Vestkystens"),
}
PRODUCTS = {
    "en": _words(
        "Garden Chair, Steel Bottle, Desk Lamp, Running Shoe, Coffee Grinder, Rain Jacket"
    ),
    "de": _words("Gartenstuhl, Trinkflasche, Tischleuchte, Laufschuh, Kaffeemühle, Regenjacke"),
    "fr": _words("Chaise de jardin, Gourde, Lampe de bureau, Basket, Moulin à café, Imperméable"),
    "es": _words("Silla de jardín, Botella, Lámpara, Zapatilla, Molinillo de café, Chubasquero"),
    "da": _words("Havestol, Drikkedunk, Bordlampe, Løbesko, Kaffekværn, Regnjakke"),
}
SENTENCES = {
    "en": ["The parcel arrived late.", "Please call back after 5 pm.", "Everything was fine.",
           "The colour is not what I ordered.", "Customer asked for a refund of 20 dollars.",
           "You can reach me at", "We agreed on the new date with"],
    "de": ["Das Paket kam zu spät an.", "Bitte nach 17 Uhr zurückrufen.", "Alles in Ordnung.",
           "Die Farbe stimmt nicht.", "Der Kunde möchte 20 Euro zurück.", "Zu erreichen unter",
           "Die Lieferung erfolgt am Montag an"],
    "fr": ["Le colis est arrivé en retard.", "Merci de rappeler après 17 h.", "Tout va bien.",
           "La couleur ne convient pas.", "Le client demande un remboursement de 20 euros.",
           "Vous pouvez me joindre au", "Rendez-vous confirmé avec"],
    "es": ["El paquete llegó tarde.", "Llamar después de las 17 h.", "Todo correcto.",
           "El color no es el que pedí.", "El cliente pide la devolución de 20 euros.",
           "Puede contactarme en", "Se acordó la nueva fecha con"],
    "da": ["Pakken kom for sent.", "Ring venligst efter kl. 17.", "Alt er i orden.",
           "Farven er ikke den rigtige.", "Kunden vil have 20 kroner tilbage.", "Jeg kan nås på",
           "Vi aftalte en ny dato med"],
}  # fmt: skip
