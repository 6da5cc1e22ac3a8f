catalog-title = Catalogue of { $name }
catalog-search = Search this catalogue
catalog-search-button = Search
catalog-empty = This peer offers you nothing at the moment. Ask it to publish something for you.
catalog-no-match = Nothing matches “{ $query }”.
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
