# Terms. One English word for one concept; the Chinese catalogue lists its own beside them.
# product, catalogue, offer, terms, negotiation, agreement, transfer, provider, consumer,
# participant (an organisation on a node), peer (another organisation's node), node, version,
# API token, profile file, sign in.

## Around every page

common-skip = Skip to content
common-participant = Participant:
common-signed-in = Signed in as
common-sign-out = Sign out
common-log-held = The log is held: nothing is signed, and evidence of what happens now waits.
common-log-held-see = See why
common-audits = You read this participant as an auditor: you see everything, and change nothing.
common-menu = Main
common-room-home = Overview
common-room-publish = Publish
common-room-products = Products
common-room-peers = Peers
common-room-negotiations = Negotiations
common-room-agreements = Agreements
common-room-transfers = Transfers
common-room-evidence = Evidence
common-room-connections = Connections
common-room-tokens = API tokens
common-room-node = Node
common-live = Live
common-lost = Connection lost, retrying…
common-made = Page made { $when }
common-request = Request <code>{ $id }</code>
common-language = Language

## Times. $year, $day and $clock are digits, $month is 1 to 12.

common-moment = { $day } { $month ->
    [1] Jan
    [2] Feb
    [3] Mar
    [4] Apr
    [5] May
    [6] Jun
    [7] Jul
    [8] Aug
    [9] Sep
    [10] Oct
    [11] Nov
   *[12] Dec
} { $year }, { $clock } UTC
common-days = { $n ->
    [one] { $n } day
   *[other] { $n } days
}
common-hours = { $n ->
    [one] { $n } hour
   *[other] { $n } hours
}
common-minutes = { $n ->
    [one] { $n } minute
   *[other] { $n } minutes
}
common-seconds = { $n ->
    [one] { $n } second
   *[other] { $n } seconds
}
# Two lengths of time: 3 days 4 hours
common-span = { $larger } { $smaller }
common-just-now = just now
common-minutes-ago = { $n ->
    [one] { $n } minute ago
   *[other] { $n } minutes ago
}
common-hours-ago = { $n ->
    [one] { $n } hour ago
   *[other] { $n } hours ago
}
common-days-ago = { $n ->
    [one] { $n } day ago
   *[other] { $n } days ago
}
common-reason = Reason given:
common-role-with = { $role } · with { $peer }
common-start = To the start
common-older = Older entries
common-undelivered = The next message has not reached the other side yet:
common-undelivered-hint = The node keeps trying; you need not do anything.
common-you = you
common-colon = {": "}
common-filters = Filters
common-filters-off = Remove all filters
common-filter-off = (remove this filter)
common-filter-more = and { $n } more
common-problems = { $n ->
    [one] One thing needs a change
   *[other] { $n } things need a change
}
common-room-people = People
common-room-waiting = Waiting
common-ended-by = Ended by { $who }.
