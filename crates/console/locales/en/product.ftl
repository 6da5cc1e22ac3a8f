product-from = { $kind } from { $name }
product-description = Description
product-no-offers = This version has no offers, so nobody can negotiate for it. Publish a new version with an offer.
product-no-offer-for-you = There is no offer for you here. Ask the provider for one.
product-offer = Offer { $n }
product-negotiate = Negotiate
product-price-label = Price you offer
product-price-hint = As asked, unless you name another in the same currency. The other side then decides.
product-offer-id = Offer <code>{ $id }</code>
product-schema = Schema
product-type = Type
product-nullable = May be missing
product-yes = yes
product-no = no
product-more-columns = { $n ->
    [one] and { $n } more column
   *[other] and { $n } more columns
}
product-profile = Profile
product-profile-hint = Measured when the product was published. Distinct values are an estimate.
product-missing = Missing
product-distinct = Distinct
product-smallest = Smallest
product-largest = Largest
product-files = Files
product-file = File
product-more-files = { $n ->
    [one] and { $n } more file
   *[other] and { $n } more files
}
product-schema-shown = Schema in the catalogue
product-profile-shown = Profile in the catalogue
product-shown = yes, peers see it
product-hidden = no, hidden
product-keywords = Keywords
product-versions = Versions
product-withdraw-menu = Withdraw…
product-withdraw-hint = The product leaves your catalogue and can no longer be negotiated. Agreements made before stay in force.
product-withdraw = Withdraw this product
product-stopped = You stopped this product for now, { $when }. Nothing of any version can be read until you resume it.
product-stop-menu = Emergency stop…
product-stop-hint = Nothing of any version can be read from now on; running transfers are suspended, downloads under way cut. The consumers read the reason. You can resume it.
product-stop = Stop for now
product-resume = Resume
product-version-unknown = not told
product-license = Licence
product-rhythm = Renewed
product-language = Language
product-contact = Contact
product-delivery = Delivered as
