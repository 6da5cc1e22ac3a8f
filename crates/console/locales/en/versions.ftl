versions-title = How the terms changed
versions-compare = Compare
versions-with = with
versions-show = Show
versions-same = Both versions say the same.
versions-differences = { $n ->
    [one] One term differs.
   *[other] { $n } terms differ.
}
versions-change = Change
versions-before = Before
versions-after = After
versions-odrl = Both versions as ODRL
versions-here = Terms, version { $n }
versions-term-same = as before
versions-term-added = added
versions-term-removed = removed
versions-term-changed = changed
# $n is the number of the version, $who whose it is.
versions-from-published = { $n } · published by { $who }
versions-from-asked = { $n } · asked for by { $who }
versions-from-offered = { $n } · offered by { $who }
versions-from-agreement = { $n } · the agreement, signed by { $who }
# Terms that this node has no sentence for; $what is their ODRL in short.
versions-condition = Condition: { $what }
versions-duty = Duty: { $what }
versions-action = Action: { $what }
versions-detail = { $name }: { $what }
versions-forbidden = Forbidden: { $rule }
versions-obliged = Obligation: { $rule }
# One of several ways to be permitted; $rule is a term of it.
versions-way = Way { $n }: { $rule }
