catalog-title = Catalogue of { $name }
catalog-search-button = Search
catalog-whole = Show the whole catalogue
catalog-count = { $n ->
    [one] 1 product
   *[other] { $n } products
}
catalog-count-for = { $n ->
    [one] 1 product for “{ $query }”
   *[other] { $n } products for “{ $query }”
}
catalog-version = version { $version }
catalog-rows = { $n ->
    [one] { $n } row
   *[other] { $n } rows
}
catalog-offers = { $n ->
    [one] { $n } offer
   *[other] { $n } offers
}
catalog-previous = Previous
catalog-next = Next
catalog-page = Page { $n } of { $pages }
catalog-all = Catalogue
catalog-lead = What other organisations offer you, as their catalogues last said.
catalog-search = Search titles, descriptions and keywords
catalog-empty = There is nothing at the moment. Ask the other organisation to publish something for you.
catalog-no-match = Nothing matches.
catalog-no-peers = You know no other organisation yet. <a>Add a peer</a> to see what it offers.
