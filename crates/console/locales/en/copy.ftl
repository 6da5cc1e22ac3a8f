copy-title = Catalogues
copy-under-way = being read
copy-failed = not read
copy-read = read { $ago }
copy-never = not read yet
copy-refresh = Read again
copy-more = { $n ->
    [one] and { $n } more peer
   *[other] and { $n } more peers
}
