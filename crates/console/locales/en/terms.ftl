terms-none = No conditions: any use is permitted.
terms-comma = {", "}
terms-or = {", or "}
terms-nor = {", nor "}
terms-way = Way { $n } of { $ways } to be permitted:
terms-open = Every participant may use it, without limits.
terms-moment = { $year }-{ $month }-{ $day }T{ $clock }Z
terms-before = Use is permitted before { $at }.
terms-until = Use is permitted until { $at }.
terms-after = Use is permitted after { $at }.
terms-from = Use is permitted from { $at } on.
terms-only-at = Use is permitted only at { $at }.
terms-except-at = Use is permitted except at { $at }.
terms-elapsed = Use is permitted for { $period } after the agreement.
terms-only-participants = Only these participants: { $who }.
terms-not-participants = Not these participants: { $who }.
terms-once = It may be read once.
terms-times = It may be read at most { $n } times.
terms-only-countries = Only for participants established in { $where }.
terms-not-countries = Not for participants established in { $where }.
terms-only-purpose = Only for this purpose: { $what }.
terms-not-purpose = Not for this purpose: { $what }.
terms-volume = At most { $n } bytes of it are delivered.
terms-fields = Only these columns: { $fields }.
terms-filter-all = All of its rows.
terms-filter = Only rows where { $filter }.
terms-filter-inner = ({ $inner })
terms-filter-always = always
terms-filter-never = never
terms-filter-eq = { $field } is { $value }
terms-filter-neq = { $field } is not { $value }
terms-filter-lt = { $field } is below { $value }
terms-filter-lteq = { $field } is at most { $value }
terms-filter-gt = { $field } is above { $value }
terms-filter-gteq = { $field } is at least { $value }
terms-filter-missing = { $field } is missing
terms-filter-present = { $field } is not missing
terms-filter-not = not ({ $inner })
terms-and-short = { " " }and{ " " }
terms-or-short = { " " }or{ " " }
terms-space = { " " }
terms-mask-hash = Values of { $field } are replaced by a keyed hash.
terms-mask-null = Values of { $field } are left out.
terms-mask-truncate-one = Of { $field } only the first character is shown.
terms-mask-truncate = Of { $field } only the first { $n } characters are shown.
terms-mask-bucket = Values of { $field } are rounded down to steps of { $width }.
terms-group = Only sums, counts and other aggregates, each over at least { $n } rows.
terms-version = Later versions of it are included.
terms-price = It costs { $price } once for the agreement, paid before access opens.
terms-notice = Either side may end the agreement with a notice of { $period }.
terms-notice-none = Either side may end the agreement at once.
terms-unreadable = These terms cannot be put into words here; read the policy itself. { $detail }
terms-years = { $n ->
    [one] { $n } year
   *[other] { $n } years
}
terms-months = { $n ->
    [one] { $n } month
   *[other] { $n } months
}
terms-weeks = { $n ->
    [one] { $n } week
   *[other] { $n } weeks
}

## Terms by sentences

terms-lead = Who may use it, how long and what for. Add sentences; all of them must hold together.
terms-open-heading = Open to everybody
terms-open-hint = Without an offer of your own, every participant may use it, without limits.
terms-price-label = Price
terms-price-hint = An amount and a currency, such as <code>80 CNY</code>, paid once for the agreement before access opens. Leave it empty: free of charge.
terms-offer-one = Your offer
terms-remove-offer = Remove this offer
terms-all-of = All of this must hold
terms-how = How it compares
terms-instant = Date and time
terms-elapsed-before = For
terms-elapsed-after = after the agreement
terms-unit = Unit
terms-count-before = At most
terms-count-after = reads of the whole product
terms-countries = Countries
terms-countries-hint = Codes of two letters, such as CN, SG
terms-purposes = Purposes
terms-purposes-hint = One a line; those who use it declare theirs
terms-recipients = Addresses of participants, one a line
terms-recipients-more = Others, by their addresses, one a line
terms-add-label = Add a sentence:
terms-add = Add
terms-remove = Remove
terms-drop = Remove this way
terms-alternative = Add another way to be permitted
terms-alternative-hint = Whoever fulfils one way may use it.
terms-preview = Who may use it now
terms-who = Who
terms-may = May use it
terms-why = Why, and within what bounds
terms-anybody = Anybody else
terms-yes = Yes
terms-if = If declared
terms-no = No
terms-declaring = If they declare it:
terms-more-peers = { $n ->
    [one] and { $n } more peer
   *[other] and { $n } more peers
}
terms-odrl-edit = Change the text and use it instead of the sentences
terms-odrl-use = Use this text
terms-presets = Or begin an offer of your own
terms-another-offer = Add another offer
terms-check = Save and check
terms-sentence-recipient = Only these participants …
terms-sentence-dateTime = Until a date …
terms-sentence-elapsedTime = For a time after the agreement …
terms-sentence-count = At most so many reads …
terms-sentence-spatial = Only for participants established in …
terms-sentence-purpose = Only for this purpose …
terms-sentence-volume = At most so many bytes …
terms-sentence-fields = Only these columns of a table …
terms-sentence-rowFilter = Only rows of a table where …
terms-sentence-mask = Hide values of a table in part …
terms-sentence-minGroupSize = Only aggregates, over groups of …
terms-volume-before = At most
terms-volume-after = bytes are delivered
terms-fields-before = Only these columns
terms-fields-after = One a line; a part of a nested column as address.city
terms-filter-before = Only rows where
terms-filter-after = As in: site = 'Suzhou' AND (temperature = 400 OR checked IS NOT NULL)
terms-mask-before = Values to hide in part
terms-mask-after = One a line: hash(column), null(column), truncate(column, characters) or bucket(column, width)
terms-group-before = Only aggregates, each over at least
terms-group-after = rows; no rows are delivered, questions are answered
terms-problem-columns = Name at least one column.
terms-problem-group = A group has from 2 to 1,000,000 rows.
terms-sentence-version = Later versions are included
terms-sentence-noticePeriod = Either side may end the agreement with notice …
terms-notice-before = Either side may end the agreement with a notice of
terms-notice-after = 0 for at once; the same in every way to be permitted
terms-problem-notice = A notice is a whole number of at most ten years; 0 for at once.
terms-choice-dateTime-lt = before
terms-choice-dateTime-lteq = until
terms-choice-dateTime-gteq = from … on
terms-choice-dateTime-gt = after
terms-choice-dateTime-eq = only at
terms-choice-dateTime-neq = except at
terms-choice-recipient-isAnyOf = Only these participants:
terms-choice-recipient-isNoneOf = Not these participants:
terms-choice-spatial-isAnyOf = Only for participants established in
terms-choice-spatial-isNoneOf = Not for participants established in
terms-choice-purpose-isAnyOf = Only for this purpose:
terms-choice-purpose-isNoneOf = Not for this purpose:
terms-unit-PT-H = hours
terms-unit-P-D = days
terms-unit-P-W = weeks
terms-unit-P-M = months
terms-unit-P-Y = years
terms-unit-iso = (ISO 8601)
terms-preset-partner = One partner, 30 days
terms-preset-research = Research only
terms-preset-evaluation = Evaluation: 3 reads
terms-preset-country = One country
terms-preset-open = Open to all
terms-deny-recipient = The terms are for other participants.
terms-deny-dateTime = Not at this time.
terms-deny-elapsedTime = The time after the agreement is over.
terms-deny-count = No reads are permitted.
terms-deny-spatial = Not for participants of that country.
terms-deny-purpose = Not for that purpose.
terms-deny-volume = No bytes are permitted.
terms-deny-version = Not this version.
terms-deny-permission = Nothing is permitted.
terms-bound-until = Until { $when }.
terms-bound-reads = { $n ->
    [one] One read.
   *[other] { $n } reads.
}
terms-bound-versions = Later versions as well.
terms-problem-number = A whole number, from 1.
terms-problem-instant = A date and a time of day.
terms-problem-period = A length of time, such as 30 days.
terms-problem-recipients = Tick or name at least one participant; an address begins with did:web:.
terms-problem-countries = Codes of two capital letters, such as CN.
terms-problem-purposes = Name at least one purpose.
terms-problem-odrl = This is not JSON: { $detail }
terms-problem-price = An amount and a currency of ISO 4217, such as 80 CNY.
terms-problem-too-many = A product has at most { $n } offers.
