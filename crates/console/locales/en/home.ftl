home-address = Address for peers:
home-products = { $n ->
    [one] published product
   *[other] published products
}
home-negotiations = { $n ->
    [one] open negotiation
   *[other] open negotiations
}
home-agreements = { $n ->
    [one] agreement in force
   *[other] agreements in force
}
home-transfers = { $n ->
    [one] started transfer
   *[other] started transfers
}
home-first = First steps
home-publish = Publish a product
home-publish-hint = Any file, table, bucket or query will do: <a>publish it here</a>, or on the node’s machine run:
home-find = Find a peer
home-find-hint = Ask another organisation for its address and <a>read its catalogue</a>.
home-deal = Make a deal
home-deal-hint = Choose an offer, press Negotiate, and watch both sides sign the agreement.
home-waiting = Waiting for you
home-waiting-none = Nothing waits for you. Requests that need your decision appear here.
home-waiting-decide = Decide about all of them on one page
home-latest = Latest events
home-latest-none = Nothing has happened yet.
