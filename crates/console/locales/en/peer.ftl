peer-catalog = Open the catalogue
peer-address = Found at
peer-failed = The last contact failed.
peer-catalog-problem = The catalogue could not be read.
peer-all-products = { $n ->
    [one] All { $n } product
   *[other] All { $n } products
}
peer-no-negotiations = You have not negotiated with this peer.
peer-no-agreements = There are no agreements with this peer.
peer-no-transfers = Nothing has been transferred.
peer-remove-menu = Remove…
peer-remove-hint = The peer leaves this list, and the copy of its catalogue is deleted. Negotiations, agreements and transfers with it stay.
peer-remove = Remove this peer
