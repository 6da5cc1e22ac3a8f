home-address = 供对等方使用的地址：
home-products = { $n ->
   *[other] 已发布产品
}
home-negotiations = { $n ->
   *[other] 进行中的协商
}
home-agreements = { $n ->
   *[other] 生效中的合约
}
home-transfers = { $n ->
   *[other] 已启动的传输
}
home-first = 入门步骤
home-publish = 发布产品
home-publish-hint = 任意文件、数据表、存储桶或查询均可：<a>在此发布</a>，或在节点所在的机器上运行：
home-find = 寻找对等方
home-find-hint = 向其他机构索取地址，然后<a>读取其目录</a>。
home-deal = 达成交易
home-deal-hint = 选择一个要约，点击“发起协商”，即可看到双方签署合约的过程。
home-waiting = 待您处理
home-waiting-none = 没有待处理事项。需要您决定的请求会显示在这里。
home-waiting-decide = 在一页内逐一处理
home-latest = 最新动态
home-latest-none = 还没有任何动态。
