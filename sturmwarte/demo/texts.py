"""What the invented people of the demonstration write. All names and texts are made up."""

from __future__ import annotations

FIRST = (
    "Anke", "Bastian", "Carina", "Detlef", "Elif", "Frauke", "Gökhan", "Hanna", "Ingo", "Jördis", "Kemal", "Lennart",
    "Maike", "Nils", "Okka", "Paula", "Quirin", "Rieke", "Sönke", "Tomke", "Uwe", "Vesna", "Wiebke", "Yasmin", "Zoran",
)  # fmt: skip
LAST = ("deich", "fjord", "grau", "hafen", "insel", "koog", "lotse", "moor", "nordlicht", "ostwind", "priel", "watt")

QUIET_OPENINGS = (
    "Ich bin seit zwei Jahren bei {brand} und kann wenig meckern.",
    "Kurze Frage an die anderen Kunden von {brand}:",
    "Gestern habe ich bei {brand} meinen Vertrag verlängert.",
    "Hat jemand Erfahrung mit dem neuen Router von {brand}?",
    "Nach dem Umzug hat {brand} den Anschluss am selben Tag geschaltet.",
    "Weiß jemand, wann {brand} in unserer Straße Glasfaser verlegt?",
    "Die Rechnung von {brand} kam diesmal per Post statt per Mail.",
    "Bei {brand} gibt es wohl ab nächstem Monat neue Tarife.",
    "Mein Nachbar ist von {brand} zu einem anderen Anbieter gegangen.",
    "Ich vergleiche gerade {brand} mit zwei anderen Anbietern.",
    "Der Techniker von {brand} war heute da.",
    "In der App von {brand} finde ich den Datenverbrauch nicht mehr.",
)
QUIET_DETAILS = (
    "Der Termin war pünktlich und der Mitarbeiter freundlich.",
    "Die Leitung bringt im Mittel ungefähr achtzig Prozent der bestellten Bandbreite.",
    "Im Menü unter Heimnetz lässt sich der Kanal umstellen.",
    "Am Telefon hat es nur fünf Minuten gedauert, das fand ich gut.",
    "Auf der Seite steht dazu leider nichts, deshalb frage ich hier.",
    "Vielleicht kennt jemand von euch die Kündigungsfrist genau.",
    "Ich brauche den Anschluss vor allem für die Arbeit von zu Hause.",
    "Das Kabel liegt im Keller neben dem Zählerschrank.",
    "Im Shop in der Innenstadt wurde ich gut und geduldig beraten.",
    "Der Preis ist im Vergleich in Ordnung.",
    "Die Geschwindigkeit schwankt abends ein wenig, damit kann ich leben.",
    "Mit dem alten Gerät hatte ich den Fall auch schon einmal.",
    "Die Bestätigung kam am nächsten Tag.",
    "Der Tarif enthält jetzt auch das Roaming in der Schweiz.",
)
QUIET_CLOSINGS = (
    "Danke für jeden Hinweis.",
    "Ich berichte, wie es weitergeht.",
    "Wie ist das bei euch?",
    "Grüße von der Küste.",
    "Bin gespannt auf eure Antworten.",
    "Das wollte ich nur kurz weitergeben.",
    "Im Handbuch stand es auf Seite zwölf.",
    "Ich probiere es am Wochenende aus.",
    "Mehr weiß ich dazu auch nicht.",
    "Falls es jemandem hilft.",
)
GRUMBLES = (
    "Die Warteschleife von {brand} war diese Woche wieder viel zu lang, das nervt.",
    "Schon wieder ein Ausfall am Abend, das ist ärgerlich, {brand}.",
    "Leider hat {brand} meine Kündigung zweimal verloren, das ist schlecht organisiert.",
    "Für den Preis ist der Service von {brand} enttäuschend.",
    "Der zugesagte Rückruf von {brand} kam nie, sehr unzuverlässig.",
)

STORM_OPENINGS = (
    "Seit heute Morgen Totalausfall bei {brand}!",
    "Kein Internet, kein Telefon, danke für nichts, {brand}.",
    "Was {brand} sich gerade leistet, ist eine Frechheit.",
    "Ich bin stinksauer auf {brand}.",
    "{brand} ist nur noch eine Katastrophe.",
    "Drei Stunden in der Hotline von {brand} gehangen, dann aufgelegt worden.",
    "Unfassbar, wie {brand} mit seinen Kunden umgeht.",
    "Hier in der ganzen Siedlung ist {brand} tot.",
    "Die Störung bei {brand} ist schlimm genug, aber der Umgang damit ist eine Zumutung.",
    "So eine Unverschämtheit habe ich bei {brand} noch nie erlebt.",
    "Wieder einmal lügt {brand} seine Kunden an.",
    "Meine Firma steht still, und {brand} schweigt.",
)
STORM_DETAILS = (
    "Das Störungsticket wurde einfach geschlossen, ohne dass jemand angerufen hat.",
    "In der Hotline heißt es, es gebe keine Störung, das ist gelogen.",
    "Der Rückruf wurde gelöscht, der Techniker kam nicht, niemand ist zuständig.",
    "Mein Ticket steht auf erledigt, dabei geht hier gar nichts.",
    "Erst vertröstet, dann angeschrien, dann aus der Leitung geworfen, unverschämt.",
    "Auf der Störungskarte ist alles grün, das ist doch Betrug am Kunden.",
    "Seit Stunden Warteschleife, das ist ein furchtbarer Saftladen.",
    "Homeoffice unmöglich, und am Monatsende wird trotzdem kassiert, reine Abzocke.",
    "Die schließen massenhaft Tickets, damit die Statistik stimmt, ein Skandal.",
    "Nicht einmal der Notruf ging, das ist gefährlich und verantwortungslos.",
    "Der Chat bricht ab, die App stürzt ab, alles kaputt.",
    "Meine Mutter ist seit heute früh nicht erreichbar, das macht mir Angst.",
    "Im Shop zucken sie nur mit den Schultern, katastrophaler Service.",
    "Angeblich war ein Techniker hier, das ist eine dreiste Lüge.",
)
STORM_CLOSINGS = (
    "Nie wieder.",
    "Ich kündige heute noch.",
    "Wer macht mit bei einer Beschwerde?",
    "Das ist das Letzte.",
    "Einfach nur peinlich und traurig.",
    "Ich habe die Nase voll.",
    "Schämt euch.",
    "So verliert man Kunden, ihr Versager.",
    "Das muss an die Öffentlichkeit, es ist unerträglich.",
    "Ich verlange mein Geld zurück, so ein Mist.",
)

TRAIN_OPENINGS = (
    "Heute mit der {brand} von Husum nach Kiel gefahren.",
    "Weiß jemand, ob die {brand} am Feiertag fährt?",
    "Der neue Fahrplan der {brand} steht.",
    "In der {brand} gab es heute endlich wieder Kaffee.",
    "Die {brand} hatte fünf Minuten Verspätung.",
    "Mit dem Fahrrad in der {brand} klappt es meistens.",
    "Die Monatskarte der {brand} gilt jetzt auch im Bus.",
)
TRAIN_DETAILS = (
    "Der Zug war sauber und fast leer.",
    "Der Schaffner hat freundlich geholfen.",
    "Die Anzeige am Bahnsteig ging nicht, die Durchsage war aber deutlich.",
    "Umsteigen in Rendsburg hat gut geklappt.",
    "Es war ziemlich voll, wie jeden Freitag.",
    "Der Anschluss hat gewartet.",
    "Die Baustelle dauert wohl noch bis zum Frühjahr.",
    "Im Ruheabteil wurde leider telefoniert.",
)

TOPICS = (
    "Neuer Router, welche Einstellungen?", "Erfahrungen mit dem Umzugsservice", "Glasfaser im Neubaugebiet",
    "{brand}: Tarife im Vergleich", "Welche Bandbreite kommt an?", "Rechnung verstehen", "{brand}: App nach dem Update",
    "Festnetznummer mitnehmen", "Kündigungsfrist und Laufzeit", "{brand}: Technikertermin", "Empfang im Keller",
    "Router selbst kaufen oder mieten?", "Telefonbuch und Rufnummer", "{brand} im Shop oder im Netz bestellen?",
)  # fmt: skip
STORM_TOPICS = (
    "{brand}: Totalausfall seit heute Morgen",
    "{brand}: Störungsticket einfach geschlossen",
    "Hotline von {brand}: Erfahrungen von heute",
)
TRAIN_TOPICS = ("{brand}: Fahrplan im Winter", "Mit dem Rad in der {brand}", "{brand}: Pendlertreff")

ARTICLES = (
    (
        "{brand} baut Glasfaser in drei Dörfern aus",
        "Das Unternehmen {brand} will bis zum Sommer drei weitere Dörfer "
        "anschließen. Die Arbeiten beginnen nach Angaben einer Sprecherin im März. Die Gemeinde begrüßt den Plan.",
    ),
    (
        "Was ein Anschluss an der Küste kostet",
        "Ein Vergleich von sechs Anbietern zeigt geringe Unterschiede. {brand} liegt "
        "im Mittelfeld. Verbraucherschützer raten, auf die Laufzeit zu achten.",
    ),
    (
        "{brand} unterstützt Sportvereine",
        "Zwölf Vereine im Kreis erhalten neue Trikots. {brand} setzt damit eine "
        "Zusammenarbeit fort, die vor fünf Jahren begann.",
    ),
    (
        "Küstenbahn nimmt neue Triebwagen in Betrieb",
        "Vier neue Züge fahren seit Montag auf der Strecke nach Westen. Die "
        "Küstenbahn verspricht mehr Plätze für Fahrräder.",
    ),
)
STORM_ARTICLES = (
    (
        "Tausende Kunden von {brand} ohne Internet",
        "Ein Totalausfall bei {brand} hat am Vormittag Tausende Haushalte "
        "getroffen. Kunden berichten von endlosen Warteschleifen und von Tickets, die ohne Lösung geschlossen wurden. "
        "Die Verbraucherzentrale spricht von einer Zumutung. {brand} war zunächst nicht zu erreichen.",
    ),
    (
        "Ärger über {brand}: Störungsmeldungen einfach gelöscht",
        "Nach dem Ausfall bei {brand} wächst die Wut. Betroffene "
        "werfen dem Unternehmen vor, Meldungen massenhaft geschlossen zu haben. Ein Betriebsrat nennt die "
        "Zustände in der Hotline katastrophal.",
    ),
)

REVIEW_TITLES_GOOD = ("Zufrieden", "Läuft stabil", "Guter Service", "Gerne wieder", "Preis in Ordnung")
REVIEW_TITLES_BAD = ("Ticket geschlossen, nichts gelöst", "Finger weg", "Totalausfall", "Frechheit", "Nie wieder")
OWNER_REPLY = "Vielen Dank für die Rückmeldung. Wir sehen uns das an und melden uns. Ihr Team von {brand}"
