node-well = 全部检查通过
node-not-well = 需要处理
node-worth-a-look = 需要关注
node-about = 关于本节点
node-address = 公开地址
node-database = 数据库
node-participants = 参与方数量
node-started = 启动时间
node-uptime = 已运行
node-jobs = 任务
node-due = 待执行
node-retrying = 待重试
node-oldest = 最早的任务
node-checks = 检查
node-check = 检查项
node-found = 情况
node-ok = 正常
node-look = 请关注
node-bad = 异常
node-doctor = 命令 <code>fondaco doctor --dir DIR</code> 会做更多检查，并说明如何修复所发现的问题。
node-check-database = 数据库
node-check-database-ok = 应答正常。
node-disk = 磁盘
node-disk-free = 可用 { $free }，共 { $size }
node-data = 已发布数据
node-backup = 最近备份
node-backup-unknown = 未知
node-failing = 失败最久的任务
node-failing-since = 自 { $when } 起，已尝试 { $n } 次
node-failing-why = 最近一次：
node-failing-other = 该任务属于其他参与方，原因由其人员查看。
node-failing-open = 打开相关页面
node-job-negotiation = 需向对等方发送一条协商消息。
node-job-transfer = 需向对等方发送一条传输消息。
node-job-other = 需执行类型为 { $kind } 的任务。
node-check-address = 公开地址
node-check-address-local = 只有本机上的节点可以访问。适合试用；如需供他人访问，请为节点配置公开地址。
node-check-address-tls = 其他机构可通过 TLS 访问。
node-check-address-plain = 当前为明文 http，传输内容可能被窃取。
node-check-address-mend = 请在前端配置 TLS，并将 <code>public.url</code> 设为 https。
node-check-jobs = 任务
node-check-jobs-ok = 没有超时等待的任务。
node-check-jobs-late = 有任务已等待 { $for }，且曾经失败。
node-check-jobs-mend = 多半是对方停机。节点会自动重试；如持续如此，请联系对方人员。
node-check-disk = 磁盘
node-check-disk-ok = 可用 { $free }。
node-check-disk-low = 仅剩 { $free }。磁盘写满后将无法发布和交付。
node-check-disk-mend = 请清理空间，或将节点数据移至更大的磁盘。
node-check-backup = 备份
node-check-backup-ok = 最近一次备份于{ $ago }。
node-check-backup-old = 最近一次备份于{ $ago }：此后的内容会随磁盘损坏而丢失。
node-check-backup-none = 此节点从未备份。
node-check-backup-mend = 请运行 <code>fondaco backup --dir DIR --out FILE</code>，最好每晚一次并存到另一台机器。
node-check-log = 日志
node-check-log-ok = 共 { $leaves } 条，由 { $n } 个见证方联署。
node-check-log-alone = 共 { $leaves } 条。没有其他方联署：他人只能相信本节点只出示同一份历史。
node-check-log-held = 暂停签名。交易照常进行，其证据正在等待。
node-check-log-held-mend = 运行 <code>fondaco log status --dir DIR</code>，然后运行 <code>fondaco log resume --dir DIR</code>。
node-check-log-forked = 由我方见证的这份日志签署了两份不同的历史。第二份已被拒绝。
node-check-log-forked-mend = 请告知信任它的各方：<code>fondaco log status --dir DIR --json</code> 中有该日志自己签名的证明。
node-check-log-doubt = 由我方见证的这份日志未能证明其延续我方已联署的内容，此后也一直未证明。
node-check-log-doubt-mend = 请询问其人员，日志是否被恢复到较早的状态：它可能已分叉。<code>fondaco log status --dir DIR --json</code> 中有该请求，它目前尚不构成证明。
node-check-log-witness = 已请求联署，但未获联署。
node-check-log-witness-mend = 节点会自动再次请求；若持续如此，请联系见证方人员。
node-check-feeds = 跟随来源的产品
node-check-feeds-ok = { $n ->
    [0] 没有产品跟随来源。
   *[other] { $n } 个产品均正常跟随其来源。
}
node-check-feed-failed = 最近 { $n } 次查看来源均失败：
node-check-feed-mend = 请修复来源；节点将于 { $when } 再次查看。已发布的内容仍可使用。
node-check-peers = 对等方
node-check-peers-ok = { $n ->
    [0] 还没有已知的对等方。
   *[other] { $n } 个已知对等方最近均有应答。
}
node-check-peer-failed = 最近一次调用失败：
node-check-peer-mend = 请检查其地址，并联系对方人员。节点会自动重试。
node-check-connections = 来源连接
node-check-connections-ok = { $n ->
    [0] 没有连接。
   *[other] { $n } 个连接最近一次测试均正常。
}
node-check-connections-untried = { $n } 个连接尚未测试。
node-check-connection-failed = { $ago }测试时无法使用：
node-check-connection-mend = 请检查来源一侧或更正连接，然后重新测试。
node-check-more = 另有 { $n } 项存在同样的问题。
