products-lead = 您共享和出售的内容。产品的每个版本一经发布即不可更改。
products-none = 还没有产品
products-none-hint = 请发布一个 Parquet 或 CSV 文件。在节点所在的机器上运行：
products-of = （共 { $n } 个）
products-another = 发布其他产品
products-run = 在节点所在的机器上运行：
products-another-hint = 使用相同的标识会发布新版本。<code>--offer OFFER.json</code> 用于附加条件；不加则向所有参与方开放。
