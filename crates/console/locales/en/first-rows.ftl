first-rows-heading = First rows
first-rows-title = First rows: { $product }
first-rows-see = See the first rows as a buyer would
first-rows-see-consumer = See the first rows as the consumer does
first-rows-lead-consumer = What { $who } sees of your table under this agreement now, value by value. Nothing is counted.
first-rows-lead-buyer = What whoever takes this offer sees of your table, value by value.
first-rows-lead-reader = What whoever takes your offers would see of your table, value by value. Nothing is published yet.
first-rows-terms = Terms { $n }
first-rows-nothing = Nothing is seen now.
first-rows-none = No row is seen at the beginning of the table. There may be some further on.
first-rows-none-at-all = No row of the table is seen.
first-rows-aggregates = { $n ->
    [one] No rows are seen: only aggregates over at least { $n } row, asked in <code>SQL</code>.
   *[other] No rows are seen: only aggregates over at least { $n } rows, asked in <code>SQL</code>.
}
first-rows-hashes = Hashes here are examples, made with a key that is thrown away. Each agreement has a key of its own, so its hashes are others.
first-rows-beginning = Only the beginning of the table was looked at; there may be more rows further on.
first-rows-missing = missing
