products-lead = What you share and sell. Each version of a product is fixed once it is published.
products-none = No products yet
products-none-hint = Publish a Parquet or CSV file. On the node’s machine, run:
products-of = of { $n }
products-another = Publish another product
products-run = On the node’s machine, run:
products-another-hint = The same id again publishes a new version. <code>--offer OFFER.json</code> adds conditions; without it, the product is open to every participant.
