terms-none = No conditions: any use is permitted.
terms-comma = {", "}
terms-or = {", or "}
terms-nor = {", nor "}
terms-way = Way { $n } of { $ways } to be permitted:
terms-open = Every participant may use it, without limits.
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
terms-version = Later versions of it are included.
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
